#pragma once

#include <cstdint>

#include "base/result.h"
#include "exec/device.h"
#include "plan/program.h"

namespace portolan {

/// Which of the host's kernels do the work of a kind; kNone: it has none.
enum class HostFamily : std::uint8_t { kTokens, kLinear, kNorm, kAttention, kPointwise, kUpdate, kNone };
HostFamily host_family(KernelKind kind);

/// Whether the host has the kernel, and the buffers of `stage` that it names hold its operands in fp32.
/// Errors (kInfeasible): "host device cannot run attention_dropout_forward"; an operand that is missing or
/// too small, sizes that are none.
Result<void> check_host_kernel(const Kernel& kernel, const Stage& stage);

/// Whether the host can do the communication. Errors (kInfeasible).
Result<void> check_host_communication(const Op& op, const Stage& stage);

/// Runs one kernel on the calling thread. Allocates nothing. Precondition: check_host_kernel() passed.
/// Errors (kBadInput): a token that is not in the vocabulary.
Result<void> run_host_kernel(const KernelLaunch& launch);

}  // namespace portolan
