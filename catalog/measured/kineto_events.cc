#include "catalog/measured/kineto_events.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/parse_quantity.h"
#include "catalog/document/json_parser.h"
#include "catalog/document/node.h"
#include "catalog/measured/trace_event_store.h"

namespace portolan {

namespace {

constexpr std::size_t kMostRanksListed = 1U << 16U;
constexpr std::size_t kMostInputs = 64;
constexpr std::size_t kMostDims = 8;

/// "[0, 1, 2, ..., 7]": the numbers in it.
std::vector<std::int32_t> ranks_in(std::string_view text) {
  std::vector<std::int32_t> ranks;
  for (std::size_t at = text.find_first_of("0123456789");
       at != std::string_view::npos && ranks.size() < kMostRanksListed;) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
    const Result<std::int64_t> rank = parse_integer(text.substr(at, end - at));
    if (!rank || *rank > (1 << 30)) {
      return {};
    }
    ranks.push_back(static_cast<std::int32_t>(*rank));
    at = text.find_first_of("0123456789", end);
  }
  return ranks;
}

/// Takes the parser's events apart. Where it is follows from the depth alone: of {"traceEvents": [{...,
/// "args":
/// {...}}]} or of the list by itself.
class KinetoParser {
 public:
  using json = nlohmann::json;

  KinetoParser(TraceEvents& events, const TraceEventsOptions& options)
      : events_(events), store_(events, options), with_operations_(options.with_operations) {}

  bool null() { return true; }
  bool boolean(bool /*value*/) { return true; }
  bool number_integer(json::number_integer_t value) { return number(static_cast<double>(value)); }
  bool number_unsigned(json::number_unsigned_t value) { return number(static_cast<double>(value)); }
  bool number_float(json::number_float_t value, const json::string_t& /*raw*/) { return number(value); }
  bool string(json::string_t& value) {
    if (at_event_field()) {
      event_string(value);
    } else if (at_argument()) {
      argument_string(value);
    } else if (at_group_config()) {
      config_string(value);
    }
    return true;
  }
  bool binary(json::binary_t& /*value*/) { return true; }
  bool start_object(std::size_t /*elements*/) {
    ++depth_;
    keys_.emplace_back();
    if (is_event(depth_)) {
      event_ = {};
    }
    return true;
  }
  bool key(json::string_t& value) {
    keys_.back() = value.size() <= 64 ? value : "";
    if (depth_ == 1 && value == "traceEvents") {
      has_events_ = true;
    }
    return true;
  }
  bool end_object() {
    if (is_event(depth_)) {
      store_.add(event_);
    } else if (at_group_config()) {
      events_.ranks_of_group.insert_or_assign(config_name_, std::move(config_ranks_));
      config_name_.clear();
      config_ranks_.clear();
    }
    return end();
  }
  bool start_array(std::size_t /*elements*/) {
    if (depth_ == 0) {
      is_list_ = has_events_ = true;
    }
    ++depth_;
    keys_.emplace_back();
    if (at_input_dims() && depth_ == event_depth() + 3 && event_.operation.dims.size() < kMostInputs) {
      event_.operation.dims.emplace_back();
    }
    return true;
  }
  bool end_array() { return end(); }
  bool parse_error(std::size_t position, const std::string& /*token*/, const json::exception& exception) {
    position_ = position;
    error_ = exception.what();
    return false;
  }

  bool has_events() const { return has_events_; }
  const std::string& error() const { return error_; }
  std::size_t position() const { return position_; }
  void finish() { store_.finish(); }

 private:
  bool end() {
    --depth_;
    keys_.pop_back();
    return true;
  }
  const std::string& key_at(std::size_t depth) const { return keys_[depth - 1]; }
  /// Depth of an event's own object.
  int event_depth() const { return is_list_ ? 2 : 3; }
  bool is_event(int depth) const {
    return depth == event_depth() && (is_list_ || key_at(1) == "traceEvents");
  }
  bool at_event_field() const { return is_event(depth_); }
  bool at_argument() const {
    const int own = event_depth();
    return depth_ > own && depth_ <= own + 3 && (is_list_ || key_at(1) == "traceEvents") &&
           key_at(static_cast<std::size_t>(own)) == "args";
  }
  bool at_distributed() const { return !is_list_ && depth_ == 2 && key_at(1) == "distributedInfo"; }
  bool at_group_config() const {
    return !is_list_ && depth_ >= 4 && depth_ <= 5 && key_at(1) == "distributedInfo" &&
           key_at(2) == "pg_config";
  }

  bool number(double value) {
    if (!std::isfinite(value) || std::abs(value) > 1e18) {
      return true;
    }
    if (at_event_field()) {
      event_number(value);
    } else if (at_argument()) {
      argument_number(value);
    } else if (at_distributed() && value >= 0 && value < (1 << 30)) {
      std::optional<std::int32_t>* const known = keys_.back() == "rank"         ? &events_.rank
                                                 : keys_.back() == "world_size" ? &events_.num_ranks
                                                                                : nullptr;
      if (known != nullptr) {
        *known = static_cast<std::int32_t>(value);
      }
    } else if (at_group_config() && depth_ == 5 && key_at(4) == "ranks" && value >= 0 && value < (1 << 30) &&
               config_ranks_.size() < kMostRanksListed) {
      config_ranks_.push_back(static_cast<std::int32_t>(value));
    }
    return true;
  }

  void event_number(double value) {
    const std::string& key = keys_.back();
    (key == "ts"    ? event_.start_us
     : key == "dur" ? event_.duration_us
     : key == "tid" ? event_.thread
                    : ignored_) = value;
  }
  void event_string(std::string& value) {
    const std::string& key = keys_.back();
    if (key == "ph") {
      event_.phase = std::move(value);
    } else if (key == "cat") {
      event_.category = std::move(value);
    } else if (key == "name") {
      event_.name = std::move(value);
    } else if (const Result<double> number = parse_number(value); number) {
      event_number(*number);
    }
  }

  bool at_input_dims() const {
    return with_operations_ && depth_ > event_depth() + 1 && at_argument() &&
           (argument() == "Input Dims" || argument() == "Input dims");
  }
  void input_size(double value) {
    std::vector<std::vector<std::int64_t>>& dims = event_.operation.dims;
    if (depth_ == event_depth() + 3 && !dims.empty() && dims.back().size() < kMostDims && value >= 0 &&
        value < 0x1p40) {
      dims.back().push_back(static_cast<std::int64_t>(value));
    }
  }
  void input_text(std::string& value) {
    const std::string& key = argument();
    std::vector<std::string>* const list = key == "Input type"        ? &event_.operation.types
                                           : key == "Concrete Inputs" ? &event_.operation.values
                                                                      : nullptr;
    if (with_operations_ && list != nullptr && depth_ == event_depth() + 2 && list->size() < kMostInputs) {
      list->push_back(value.size() <= 64 ? std::move(value) : std::string());
    }
  }

  /// Of the event's args; of a list in it, its items.
  const std::string& argument() const { return key_at(static_cast<std::size_t>(event_depth()) + 1); }
  void argument_number(double value) {
    const std::string& key = argument();
    if (at_input_dims()) {
      input_size(value);
      return;
    }
    if (depth_ > event_depth() + 1) {
      if (key == "Process Group Ranks" && value >= 0 && value < (1 << 30) &&
          event_.communication.group.ranks.size() < kMostRanksListed) {
        event_.communication.group.ranks.push_back(static_cast<std::int32_t>(value));
      }
      return;
    }
    if (key == "Group size" && value >= 0 && value < (1 << 30)) {
      event_.communication.group.size = static_cast<std::int32_t>(value);
      return;
    }
    (key == "correlation"       ? event_.correlation
     : key == "Sequence number" ? event_.sequence
     : key == "Fwd thread id"   ? event_.forward_thread
     : key == "Total Allocated" ? event_.total_allocated
     : key == "Total Reserved"  ? event_.total_reserved
     : key == "Device Type"     ? event_.device_type
     : key == "External id"     ? event_.external_id
     : key == "In msg nelems"   ? event_.elements_in
     : key == "Out msg nelems"  ? event_.elements_out
                                : ignored_) = value;
  }
  void argument_string(std::string& value) {
    if (depth_ > event_depth() + 1) {
      input_text(value);
      return;
    }
    const std::string& key = argument();
    if (key == "dtype") {
      event_.communication.type = value.size() <= 64 ? std::move(value) : std::string();
    } else if (key == "Collective name") {
      event_.communication.collective = std::move(value);
    } else if (key == "Process Group Name") {
      event_.group_name = std::move(value);
    } else if (key == "Process Group Description") {
      event_.communication.group.description = std::move(value);
    } else if (key == "Process Group Ranks") {
      event_.communication.group.ranks = ranks_in(value);
    } else if (const Result<double> number = parse_number(value); number) {
      argument_number(*number);
    }
  }
  void config_string(std::string& value) {
    if (depth_ == 4 && keys_.back() == "pg_name") {
      config_name_ = std::move(value);
    } else if (depth_ == 4 && keys_.back() == "ranks") {
      config_ranks_ = ranks_in(value);
    }
  }

  TraceEvents& events_;
  TraceEventStore store_;
  bool with_operations_;
  TraceEventFields event_;
  int depth_ = 0;
  bool is_list_ = false;
  bool has_events_ = false;
  std::vector<std::string> keys_;  ///< by depth; empty in lists
  std::optional<double> ignored_;
  std::string config_name_;
  std::vector<std::int32_t> config_ranks_;
  std::size_t position_ = 0;
  std::string error_;
};

}  // namespace

Result<TraceEvents> read_kineto_events(std::istream& stream, const std::string& file,
                                       const TraceEventsOptions& options) {
  TraceEvents events;
  KinetoParser parser(events, options);
  try {
    if (!nlohmann::json::sax_parse(stream, &parser)) {
      return bad_input(fmt::format("{}: is no trace (JSON of torch.profiler): byte {}: {}", printable(file),
                                   parser.position(), printable(json_error_reason(parser.error()))));
    }
  } catch (const std::exception& exception) {
    return bad_input(fmt::format("{}: is no trace (JSON of torch.profiler): {}", printable(file),
                                 printable(exception.what())));
  }
  if (!parser.has_events()) {
    return bad_input(
        fmt::format("{}: has no traceEvents (allowed: a trace of torch.profiler)", printable(file)));
  }
  parser.finish();
  return events;
}

Result<TraceEvents> read_kineto_operations(std::istream& stream, const std::string& file) {
  PORTOLAN_TRY(TraceEvents events, read_kineto_events(stream, file, {.with_operations = true}));
  if (events.work.empty()) {
    return bad_input(fmt::format(
        "{}: has no kernels (needed: a trace with ProfilerActivity.CUDA, of events with cat \"kernel\")",
        printable(file)));
  }
  if (events.operations.empty()) {
    return bad_input(
        fmt::format("{}: no operation has its sizes (needed: \"Input Dims\", as torch.profiler records with "
                    "record_shapes=True)",
                    printable(file)));
  }
  return events;
}

}  // namespace portolan
