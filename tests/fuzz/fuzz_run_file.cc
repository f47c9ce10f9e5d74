// The first byte chooses what the others are:
//   0  a run file. Anything may come, but no crash; what is accepted must survive writing and reading.
//   1  the fields of a run, which must come back equal.
//   2  edits of a sound run file: whatever is changed must be noticed.
// Damaged HDF5 behind a seal made for it is not tried: that would test HDF5 itself (see store/seal.h).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "store/run_file.h"

namespace {

void require(bool is_sound) {
  if (!is_sound) {
    std::abort();
  }
}

/// Takes values off the front of the input; zeros when it has run out.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  template <typename Number>
  Number number() {
    Number value{};
    const std::size_t size = std::min(sizeof value, rest_.size());
    if (size > 0) {
      std::memcpy(&value, rest_.data(), size);
      rest_.remove_prefix(size);
    }
    return value;
  }
  std::string text() {
    const std::string text(rest_.substr(0, number<std::uint16_t>() % (rest_.size() + 1)));
    rest_.remove_prefix(text.size());
    return text;
  }
  bool is_empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

portolan::RunRecord run_from(Input input) {
  portolan::RunRecord run;
  run.valid = input.number<std::uint8_t>() % 2 == 1;
  run.provenance.seed = input.number<std::uint64_t>();
  run.provenance.command = input.text();
  run.invalid_reason = input.text();
  run.plan_json = input.text();
  run.predicted.strategy.recompute.all_layers =
      portolan::RecomputeSet(input.number<std::uint32_t>() % (1U << portolan::kNumKernelGroups));
  run.by_kind.resize(input.number<std::uint8_t>() % 4);
  for (portolan::KindTime& time : run.by_kind) {
    time.kind = input.text();
  }
  while (!input.is_empty()) {
    portolan::TimelineEntry entry;
    entry.op_id = input.number<std::int64_t>();
    entry.rank = input.number<std::int32_t>();
    // Whole numbers: a NaN would not be equal to itself.
    entry.start = portolan::Seconds(input.number<std::int32_t>());
    entry.end = portolan::Seconds(input.number<std::int32_t>());
    run.measured_timeline.entries.push_back(entry);
  }
  return run;
}

void require_error_line(const portolan::Error& error) {
  require(error.message.starts_with("fuzz.h5: ") && error.message.find('\n') == std::string::npos);
}

void try_file(std::string_view content) {
  const auto run = portolan::parse_run(content, "fuzz.h5");
  if (!run) {
    return require_error_line(run.error());
  }
  // By bytes, as a record with a NaN is not equal to itself.
  const auto again = portolan::format_run(*run, "again.h5");
  require(again.has_value());
  const auto run_again = portolan::parse_run(*again, "again.h5");
  require(run_again.has_value());
  const auto third = portolan::format_run(*run_again, "third.h5");
  require(third.has_value() && *third == *again);
}

void try_fields(const portolan::RunRecord& run) {
  const auto content = portolan::format_run(run, "fuzz.h5");
  if (!content) {
    return require_error_line(content.error());  // a kind with a NUL byte, or too long
  }
  const auto read = portolan::parse_run(*content, "fuzz.h5");
  require(read.has_value() && *read == run);
}

void try_edits(Input input) {
  static const std::string sound = *portolan::format_run(run_from(Input(nullptr, 0)), "sound.h5");
  std::string edited = sound;
  while (!input.is_empty()) {
    const std::size_t place = input.number<std::uint32_t>() % edited.size();
    edited[place] = input.number<char>();
  }
  const auto run = portolan::parse_run(edited, "fuzz.h5");
  require(run.has_value() == (edited == sound));
  if (!run) {
    require_error_line(run.error());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  switch (input.number<std::uint8_t>() % 3) {
    case 0:
      try_file(input.rest());
      break;
    case 1:
      try_fields(run_from(input));
      break;
    default:
      try_edits(input);
  }
  return 0;
}
