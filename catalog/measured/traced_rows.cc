#include "catalog/measured/traced_rows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "catalog/document/node.h"
#include "catalog/measured/operation_calls.h"
#include "catalog/measured/traced_collective.h"
#include "catalog/measured/traced_operation.h"

namespace portolan {

namespace {

constexpr double kLeastProductFlops = 1e9;
constexpr std::int64_t kLeastPassBytes = kMebi;
/// Forward is two products of each head, backward five: FlashAttention-2, arXiv 2307.08691, section 4.1.
constexpr double kFlashForwardProducts = 2, kFlashBackwardProducts = 5;

Seconds median_of(std::vector<double> times_s) {
  const auto middle = times_s.begin() + static_cast<std::ptrdiff_t>(times_s.size() / 2);
  std::nth_element(times_s.begin(), middle, times_s.end());
  return Seconds(*middle);
}

/// Of its factors. PyTorch calls tf32 float: the kernel's name tells.
std::optional<Precision> precision_of(const TraceEvents::Operation& operation, const std::string& kernel) {
  const std::optional<Precision> named = precision_in_name(kernel);
  if (operation.types.empty()) {
    return named;
  }
  const std::optional<Precision> typed = precision_of_type(operation.types.front());
  return !typed || (*typed == Precision::kFp32 && named == Precision::kTf32) ? named : typed;
}

/// Sorts a trace's kernels into rows.
class RowCollector {
 public:
  explicit RowCollector(const TraceEvents& events) : events_(events), work_(sort_work(events)) {
    reasons_.assign(events.work.size(), nullptr);
  }

  TracedRows collect() {
    for (const OperationCall& call : work_.calls) {
      add(call);
    }
    for (const std::size_t i : work_.communication) {
      add_communication(i);
    }
    leave_out(work_.without_operation, "no operation with its sizes launched it");
    add_products();
    add_attention();
    add_passes();
    add_collectives();
    add_shares();
    return std::move(rows_);
  }

 private:
  double time_s(std::size_t work) const { return events_.work[work].span.duration_us * 1e-6; }
  double time_s(const std::vector<std::size_t>& work) const {
    double sum = 0;
    for (const std::size_t i : work) {
      sum += time_s(i);
    }
    return sum;
  }
  const std::string& name_of(std::size_t work) const {
    return events_.names[static_cast<std::size_t>(events_.work[work].name)];
  }
  void leave_out(const std::vector<std::size_t>& work, const char* reason) {
    for (const std::size_t i : work) {
      reasons_[i] = reason;
    }
  }

  void add(const OperationCall& call) {
    if (const std::optional<OperationProduct> product = product_of(*call.operation)) {
      add_product(call, *product);
    } else if (const std::optional<OperationAttentionPass> pass =
                   attention_of(*call.operation, causal_by_kernels(call))) {
      Samples& samples = (pass->is_backward ? flash_backward_ : flash_forward_)[pass->attention];
      samples.add(call.work, time_s(call.work));
    } else if (is_flash_operation(call.operation->name)) {
      leave_out(call.work, "causal or not was not recorded, or sequences are packed");
    } else if (const std::optional<OperationPass> pass_over_memory = pass_of(*call.operation)) {
      add_pass(call, *pass_over_memory);
    } else {
      leave_out(call.work, "of no kind that is fitted");
    }
  }

  std::optional<bool> causal_by_kernels(const OperationCall& call) const {
    std::optional<bool> causal;
    for (const std::size_t i : call.work) {
      causal = causal ? causal : causal_in_name(name_of(i));
    }
    return causal;
  }

  /// Of a product's call, the kernels that multiply.
  void add_product(const OperationCall& call, const OperationProduct& product) {
    std::vector<std::size_t> work;
    for (const std::size_t i : call.work) {
      if (work_.kinds[i] == TimeKind::kGemm) {
        work.push_back(i);
      } else {
        reasons_[i] = "beside a product";
      }
    }
    if (work.empty()) {
      return;
    }
    const std::optional<Precision> precision = precision_of(*call.operation, name_of(work.front()));
    const double flops = 2.0 * static_cast<double>(product.batch) * static_cast<double>(product.m) *
                         static_cast<double>(product.n) * static_cast<double>(product.k);
    if (!precision) {
      leave_out(work, "its precision is not known");
    } else if (flops < kLeastProductFlops) {
      leave_out(work, "below 1 GFLOP");
    } else {
      (call.is_backward ? backward_ : forward_)[{*precision, product}].add(work, time_s(work));
    }
  }

  void add_pass(const OperationCall& call, const OperationPass& pass) {
    const std::optional<Precision> named = precision_in_name(name_of(call.work.front()));
    const std::int64_t width = !call.operation->types.empty() ? bytes_of_type(call.operation->types.front())
                               : named                        ? (*named == Precision::kFp32 ? 4 : 2)
                                                              : 0;
    const std::int64_t bytes = pass.elements * (pass.tensors * width + pass.masks);
    if (width == 0) {
      leave_out(call.work, "the width of its elements is not known");
    } else if (pass.forward_only && call.is_backward) {
      leave_out(call.work, "of no kind that is fitted");
    } else if (bytes < kLeastPassBytes) {
      leave_out(call.work, "below 1 MiB");
    } else {
      passes_[{pass.kind, pass.elements, bytes}].add(call.work, time_s(call.work));
    }
  }

  void add_communication(std::size_t work) {
    const auto traced = traced_collective(
        work_.kinds[work], communication_of(events_, work_.contexts[work], work), events_.num_ranks);
    if (const auto* reason = std::get_if<const char*>(&traced)) {
      reasons_[work] = *reason;
      return;
    }
    const CollectiveAsked& asked = std::get<CollectiveAsked>(traced);
    collectives_[{asked.kind, asked.ranks, asked.size}].add({work}, time_s(work));
  }

  struct Samples {
    std::vector<std::size_t> work;
    std::vector<double> times_s;

    void add(const std::vector<std::size_t>& more, double time_s) {
      work.insert(work.end(), more.begin(), more.end());
      times_s.push_back(time_s);
    }
  };
  using ProductKey = std::pair<Precision, OperationProduct>;

  static GemmRow row_of(const ProductKey& key, const Samples& samples) {
    const auto& [precision, product] = key;
    return {.line = 0,
            .gpu = "",
            .batch = product.batch,
            .m = product.m,
            .n = product.n,
            .k = product.k,
            .precision = precision,
            .time = median_of(samples.times_s)};
  }

  void add_products() {
    for (const auto& [key, samples] : forward_) {
      rows_.products.push_back(row_of(key, samples));
    }
    for (const auto& [key, samples] : backward_) {
      const OperationProduct& p = key.second;
      bool is_of_weight = false, is_of_input = false;
      for (const auto& [forward_key, unused] : forward_) {
        const OperationProduct& f = forward_key.second;
        const bool crossed = (p.m == f.n && p.n == f.k) || (p.m == f.k && p.n == f.n);
        is_of_weight = is_of_weight || (f.batch == 1 && p.batch == 1 && p.k == f.m && crossed);
        is_of_input = is_of_input || (p.batch == f.batch && p.m == f.m && p.n == f.k && p.k == f.n);
      }
      if (is_of_weight && !is_of_input) {
        rows_.weight_gradients.push_back(row_of(key, samples));
      } else {
        leave_out(samples.work, is_of_input ? "gradient of an input: not fitted"
                                            : "a product of backward that follows from none of forward");
      }
    }
  }

  std::int64_t flash_version(const Samples& samples) const {
    const std::string& name = name_of(samples.work.front());
    return name.find("Sm90") != std::string::npos || name.find("sm90") != std::string::npos ? 3 : 2;
  }

  void add_attention() {
    for (const auto& [attention, backward] : flash_backward_) {
      const auto forward = flash_forward_.find(attention);
      if (forward == flash_forward_.end()) {
        leave_out(backward.work, "attention without its forward");
        continue;
      }
      const auto tokens = static_cast<double>(attention.sequence);
      const double of_product = 2.0 * static_cast<double>(attention.batch * attention.heads) * tokens *
                                tokens * static_cast<double>(attention.head_dim) *
                                (attention.causal ? 0.5 : 1);
      const Seconds time = median_of(forward->second.times_s) + median_of(backward.times_s);
      rows_.attention.push_back(
          {.line = 0,
           .gpu = "",
           .version = flash_version(forward->second),
           .sequence = attention.sequence,
           .causal = attention.causal,
           .rate = Flops(of_product * (kFlashForwardProducts + kFlashBackwardProducts)) / time});
    }
    for (const auto& [attention, forward] : flash_forward_) {
      if (!flash_backward_.contains(attention)) {
        leave_out(forward.work, "attention without its backward");
      }
    }
  }

  void add_passes() {
    for (const auto& [key, samples] : passes_) {
      const auto& [kind, elements, bytes] = key;
      rows_.passes.push_back({kind, elements, Bytes(bytes), median_of(samples.times_s)});
    }
  }

  void add_collectives() {
    for (const auto& [key, samples] : collectives_) {
      const auto& [kind, ranks, size] = key;
      rows_.collectives.push_back(
          {kind, ranks, size, Seconds(*std::min_element(samples.times_s.begin(), samples.times_s.end()))});
    }
  }

  void add_shares() {
    std::map<TimeKind, TracedShare> shares;
    std::map<std::pair<std::string, const char*>, TracedLeftOut> left_out;
    for (std::size_t i = 0; i < events_.work.size(); ++i) {
      const Seconds time(time_s(i));
      TracedShare& share = shares[work_.kinds[i]];
      share.kind = work_.kinds[i];
      share.time += time;
      share.used += reasons_[i] == nullptr ? time : Seconds(0);
      share.num_used += reasons_[i] == nullptr ? 1 : 0;
      if (reasons_[i] != nullptr) {
        TracedLeftOut& one = left_out[{what_launched(i), reasons_[i]}];
        ++one.launches;
        one.time += time;
      }
    }
    for (auto& [key, one] : left_out) {
      one.what = printable(key.first);
      one.reason = key.second;
      rows_.left_out.push_back(std::move(one));
    }
    for (const auto& [kind, share] : shares) {
      rows_.shares.push_back(share);
      rows_.time += share.time;
      rows_.used += share.used;
    }
    const auto longest_first = [](const auto& a, const auto& b) { return a.time > b.time; };
    std::stable_sort(rows_.shares.begin(), rows_.shares.end(), longest_first);
    std::stable_sort(rows_.left_out.begin(), rows_.left_out.end(), longest_first);
    rows_.num_launches = std::ssize(events_.work);
  }
  std::string what_launched(std::size_t work) const {
    const std::int32_t span = work_.contexts[work].operation_span;
    if (span == TraceEvents::kNone || is_communication(work_.kinds[work])) {
      return name_of(work);
    }
    const std::int32_t operation = events_.host[static_cast<std::size_t>(span)].operation;
    return events_.operations[static_cast<std::size_t>(operation)].name;
  }

  const TraceEvents& events_;
  SortedWork work_;
  std::vector<const char*> reasons_;  ///< why nothing is used; null: it is
  std::map<ProductKey, Samples> forward_, backward_;
  std::map<OperationAttention, Samples> flash_forward_, flash_backward_;
  std::map<std::tuple<KernelKind, std::int64_t, std::int64_t>, Samples> passes_;
  std::map<std::tuple<CollectiveKind, std::vector<std::int32_t>, Bytes>, Samples> collectives_;
  TracedRows rows_;
};

}  // namespace

TracedRows traced_rows(const TraceEvents& events) { return RowCollector(events).collect(); }

void TracedRows::leave_out(TimeKind kind, const std::string& reason) {
  for (TracedShare& share : shares) {
    if (share.kind == kind && share.num_used > 0) {
      const TracedLeftOut one{std::string(time_kind_name(kind)), reason, share.num_used, share.used};
      left_out.insert(std::upper_bound(left_out.begin(), left_out.end(), one,
                                       [](const auto& a, const auto& b) { return a.time > b.time; }),
                      one);
      used -= share.used;
      share.used = Seconds(0);
      share.num_used = 0;
    }
  }
}

}  // namespace portolan
