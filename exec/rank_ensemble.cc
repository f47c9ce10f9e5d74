#include "exec/rank_ensemble.h"

#include <algorithm>
#include <thread>

#include "exec/processor_affinity.h"
#include "kernels/host/blas.h"
#include "plan/rank_place.h"

namespace portolan {

namespace {

/// Op times of as many steps as fit are kept: the step at the median must be among them, not all.
constexpr std::int64_t kTimedBytes = 64 * kMebi;

std::int64_t num_timed_steps(std::int64_t num_steps, std::size_t num_ops) {
  const std::int64_t bytes = static_cast<std::int64_t>(num_ops * sizeof(OpTimes)) + 1;
  return std::clamp(kTimedBytes / bytes, std::int64_t{1}, num_steps);
}

}  // namespace

RankEnsemble::RankEnsemble(const Plan& plan, const RunOptions& options)
    : plan_(plan),
      options_(options),
      control_(options.timeout),
      barrier_(plan.program.num_ranks()),
      world_(control_),
      processors_(allowed_processors()) {
  const Program& program = plan.program;
  const std::int32_t ranks = program.num_ranks();
  std::size_t most_ops = 0;
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    scripts_.push_back(make_rank_script(program, rank));
    register_communication(scripts_.back());
    most_ops = std::max(most_ops, scripts_.back().ops.size());
  }
  for (const RankScript& script : scripts_) {
    logs_.emplace_back(script, options.num_steps,
                       num_timed_steps(options.num_steps, most_ops * scripts_.size()));
    auto device = std::make_unique<HostDevice>(control_);
    communicators_.push_back(std::make_unique<HostCommunicator>(script.rank, world_, device->events()));
    devices_.push_back(std::move(device));
    if (options.decorate_device) {
      devices_.back() = options.decorate_device(script.rank, std::move(devices_.back()));
    }
    interpreters_.push_back(
        std::make_unique<Interpreter>(Interpreter::Parts{.script = script,
                                                         .device = *devices_.back(),
                                                         .communicator = *communicators_.back(),
                                                         .dataset = *options.dataset,
                                                         .program = program,
                                                         .training = plan.scenario.training,
                                                         .poison = options.poison}));
  }
  loss_sums_.resize(scripts_.size());
  live_peaks_.resize(scripts_.size());
  losses_.resize(static_cast<std::size_t>(options.num_steps));
  heldout_losses_.reserve(2);
  global_tokens_ = static_cast<double>(program.num_microbatches) *
                   static_cast<double>(program.microbatch_size) *
                   static_cast<double>(program.sequence_length) * num_replicas(program);
}

void RankEnsemble::register_communication(RankScript& script) {
  for (ScriptOp& op : script.ops) {
    if (op.op->kind == OpKind::kCollective) {
      op.transfer = world_.group(op.op->lane, group_of(plan_.program, script.rank, *op.op));
    } else if (op.op->kind != OpKind::kCompute) {
      const std::int32_t peer = peer_of(plan_.program, script.rank, *op.op);
      const bool sends = op.op->kind == OpKind::kSend;
      op.transfer = world_.transfer({.source = sends ? script.rank : peer,
                                     .destination = sends ? peer : script.rank,
                                     .channel = op.op->channel,
                                     .microbatch = op.microbatch});
    }
  }
}

Result<void> RankEnsemble::run() {
  host::set_blas_threads(1);
  const std::vector<std::int32_t> processor_of = assign_processors(num_ranks(), processors_);
  std::vector<std::thread> threads;
  for (std::int32_t rank = 0; rank < num_ranks(); ++rank) {
    threads.emplace_back([this, rank, processor = processor_of[static_cast<std::size_t>(rank)]] {
      if (!pin_this_thread(processor)) {
        pinned_ = false;
      }
      if (const Result<void> done = run_rank(rank); !done) {
        control_.fail(done.error());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (const auto error = control_.error()) {
    return *error;
  }
  return {};
}

Result<void> RankEnsemble::run_rank(std::int32_t rank) {
  std::int64_t generation = 0;
  PORTOLAN_CHECK_OK(interpreters_[static_cast<std::size_t>(rank)]->prepare());
  PORTOLAN_CHECK_OK(barrier_.arrive_and_wait(control_, generation));
  PORTOLAN_CHECK_OK(evaluate(rank, generation));
  for (std::int64_t step = 0; step < options_.num_steps; ++step) {
    PORTOLAN_CHECK_OK(train_step(rank, step, generation));
  }
  live_peaks_[static_cast<std::size_t>(rank)] = interpreters_[static_cast<std::size_t>(rank)]->live_peak();
  return evaluate(rank, generation);
}

Result<void> RankEnsemble::evaluate(std::int32_t rank, std::int64_t& generation) {
  const std::int64_t batches = plan_.scenario.training.heldout_batches;
  if (batches <= 0 || options_.dataset->num_heldout_windows() == 0) {
    return {};
  }
  Interpreter& interpreter = *interpreters_[static_cast<std::size_t>(rank)];
  // The losses that ranks shared last may still be being summed.
  PORTOLAN_CHECK_OK(barrier_.arrive_and_wait(control_, generation));
  double sum = 0;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    PORTOLAN_CHECK_OK(interpreter.run_step({.text = {.part = StepText::Part::kHeldout, .index = batch},
                                            .update_model = false,
                                            .update_index = 1}));
    PORTOLAN_CHECK_OK(share_loss(rank, generation));
    sum += mean_loss();
    PORTOLAN_CHECK_OK(barrier_.arrive_and_wait(control_, generation));
  }
  if (rank == 0) {
    heldout_losses_.push_back(sum / static_cast<double>(batches));
  }
  return {};
}

Result<void> RankEnsemble::share_loss(std::int32_t rank, std::int64_t& generation) {
  PORTOLAN_TRY(loss_sums_[static_cast<std::size_t>(rank)],
               interpreters_[static_cast<std::size_t>(rank)]->loss_sum());
  return barrier_.arrive_and_wait(control_, generation);
}

/// The order of summation is that of the ranks, so that a run repeats to the bit.
double RankEnsemble::mean_loss() const {
  double sum = 0;
  for (const double part : loss_sums_) {
    sum += part;
  }
  return sum / global_tokens_;
}

Result<void> RankEnsemble::train_step(std::int32_t rank, std::int64_t step, std::int64_t& generation) {
  const auto r = static_cast<std::size_t>(rank);
  PORTOLAN_CHECK_OK(barrier_.arrive_and_wait(control_, generation));
  const std::int64_t start_ns = devices_[r]->now_ns();
  PORTOLAN_CHECK_OK(interpreters_[r]->run_step({.text = {.part = StepText::Part::kTraining, .index = step},
                                                .update_model = true,
                                                .update_index = step + 1}));
  logs_[r].record(step, start_ns, *devices_[r]);
  PORTOLAN_CHECK_OK(share_loss(rank, generation));
  if (rank == 0) {
    losses_[static_cast<std::size_t>(step)] = mean_loss();
    if (options_.on_step) {
      options_.on_step({.step = step + 1,
                        .num_steps = options_.num_steps,
                        .loss = losses_[static_cast<std::size_t>(step)],
                        .step_time = Seconds(static_cast<double>(logs_[0].end_ns(step) - start_ns) * 1e-9)});
    }
  }
  return {};
}

}  // namespace portolan
