#include "sim/device_speeds.h"

#include <algorithm>
#include <cstddef>

namespace portolan {

DeviceSpeeds::DeviceSpeeds(const ActivityGraph& graph, FluidEngine& engine) : graph_(graph), engine_(engine) {
  const auto is_of_device = [](const RateChange& change) { return change.kind == RateChange::Kind::kDevice; };
  if (std::ranges::any_of(graph.changes, is_of_device)) {
    speed_.assign(static_cast<std::size_t>(graph.num_devices), 1.0);
    under_way_.resize(speed_.size());
  }
}

double DeviceSpeeds::rate_of(const Activity& activity) const {
  const double speed = speed_[static_cast<std::size_t>(activity.device)];
  if (speed == 1) return 1;
  const double fixed = activity.fixed / activity.seconds;
  return 1 / ((1 - fixed) / speed + fixed);
}

void DeviceSpeeds::go_on(UnderWay& work) {
  work.since = engine_.now();
  work.rate = rate_of(graph_.activities[static_cast<std::size_t>(work.activity)]);
  engine_.start_alarm(work.activity, work.left / work.rate);
}

void DeviceSpeeds::start(std::int32_t activity) {
  const Activity& started = graph_.activities[static_cast<std::size_t>(activity)];
  UnderWay work{.activity = activity, .left = started.seconds, .since = {}};
  go_on(work);
  under_way_[static_cast<std::size_t>(started.device)].push_back(work);
}

void DeviceSpeeds::end(std::int32_t activity) {
  const Activity& ended = graph_.activities[static_cast<std::size_t>(activity)];
  if (ended.kind == Activity::Kind::kCompute) {
    std::erase_if(under_way_[static_cast<std::size_t>(ended.device)],
                  [&](const UnderWay& work) { return work.activity == activity; });
  }
}

void DeviceSpeeds::set(std::int32_t device, double speed) {
  speed_[static_cast<std::size_t>(device)] = speed;
  for (UnderWay& work : under_way_[static_cast<std::size_t>(device)]) {
    engine_.cancel_alarm(work.activity);
    work.left = std::max(work.left - (engine_.now() - work.since) * work.rate, Seconds(0));
    go_on(work);
  }
}

}  // namespace portolan
