#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "exec/host/host_communicator.h"
#include "exec/host/host_device.h"
#include "exec/interpreter.h"
#include "exec/rank_script.h"
#include "exec/run.h"
#include "exec/run_control.h"
#include "exec/step_log.h"

namespace portolan {

/// The ranks of one run as threads: everything that they need is made before the first thread starts, and
/// lives until the last has ended.
class RankEnsemble {
 public:
  /// Both must outlive it. Precondition: check_runnable(plan, options) passed.
  RankEnsemble(const Plan& plan, const RunOptions& options);

  /// Initial values, held-out loss, the steps, held-out loss. Errors: the first one of any rank.
  Result<void> run();

  std::int32_t num_ranks() const { return static_cast<std::int32_t>(scripts_.size()); }
  const RankScript& script(std::int32_t rank) const { return scripts_[static_cast<std::size_t>(rank)]; }
  const StepLog& log(std::int32_t rank) const { return logs_[static_cast<std::size_t>(rank)]; }
  Bytes live_peak(std::int32_t rank) const { return live_peaks_[static_cast<std::size_t>(rank)]; }
  const std::vector<double>& losses() const { return losses_; }
  const std::vector<double>& heldout_losses() const { return heldout_losses_; }
  std::int32_t num_processors() const { return static_cast<std::int32_t>(processors_.size()); }
  bool pinned() const { return pinned_; }

 private:
  Result<void> run_rank(std::int32_t rank);
  Result<void> evaluate(std::int32_t rank, std::int64_t& generation);
  Result<void> train_step(std::int32_t rank, std::int64_t step, std::int64_t& generation);
  Result<void> share_loss(std::int32_t rank, std::int64_t& generation);
  double mean_loss() const;
  void register_communication(RankScript& script);

  const Plan& plan_;
  const RunOptions& options_;
  RunControl control_;
  RankBarrier barrier_;
  HostWorld world_;
  std::vector<std::int32_t> processors_;
  std::vector<RankScript> scripts_;
  std::vector<StepLog> logs_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<std::unique_ptr<HostCommunicator>> communicators_;
  std::vector<std::unique_ptr<Interpreter>> interpreters_;
  std::vector<double> loss_sums_;  ///< of the step at hand, by rank
  std::vector<Bytes> live_peaks_;
  std::vector<double> losses_;
  std::vector<double> heldout_losses_;
  double global_tokens_ = 1;
  std::atomic<bool> pinned_{true};
};

/// Whether the host can run the plan with these options, found without running anything.
/// Errors: kBadInput and kInfeasible as run_program() lists them.
Result<void> check_runnable(const Plan& plan, const RunOptions& options);

}  // namespace portolan
