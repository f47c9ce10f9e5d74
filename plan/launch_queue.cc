#include "plan/launch_queue.h"

#include "plan/stage_prices.h"

namespace portolan {

StageLaunches launches_of(const Stage& stage, const KernelCost& cost) {
  constexpr std::int64_t kEntriesOfCommunication = 2;
  StageLaunches launches;
  for (const Template& t : stage.templates) {
    std::vector<OpLaunch>& of_template = launches.emplace_back();
    std::int32_t recomputed = Op::kNoLayer;
    for (const Op& op : t.ops) {
      OpLaunch& launch = of_template.emplace_back();
      if (op.kind != OpKind::kCompute) {
        launch.entries = kEntriesOfCommunication;
        launch.communicates = true;
        continue;
      }
      launch.entries = std::ssize(op.kernels);
      launch.device_time = device_time(op, cost);
      // What a checkpoint loses beside its kernels is the host's wait.
      const bool begins_layer = op.phase == Phase::kRecompute && op.layer != recomputed;
      launch.host_waits =
          op.phase == Phase::kOptimizer || (begins_layer && cost.checkpoint_pause() > Seconds(0));
      recomputed = op.phase == Phase::kRecompute ? op.layer : recomputed;
    }
  }
  return launches;
}

void LaunchQueue::launch(const OpLaunch& op) {
  if (op.host_waits) {
    wait();
  }
  host_ += launch_ * static_cast<double>(op.entries);
  entries_ += op.entries;
  while (!queued_.empty() && queued_.front().entries + depth_ <= entries_) {
    host_ = std::max(host_, queued_.front().over);
    queued_.pop_front();
  }
  device_ = std::max(device_, host_) + op.device_time;
  queued_.push_back({entries_, device_});
  communicated_ = op.communicates ? device_ : communicated_;
}

}  // namespace portolan
