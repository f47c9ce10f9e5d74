#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/plan_file.h"

namespace portolan {

/// A file that a framework's launch needs.
struct LaunchFile {
  std::string name;  ///< without a folder
  std::string content;
  bool is_program = false;  ///< to be made executable
};

/// What became of one field of a plan's strategy, or of its scenario.
struct LaunchField {
  std::string field;  ///< a word of --strategy, "overlap", or a dotted key of the scenario
  std::string value;
  std::string as;   ///< what says it in the framework's words; empty: nothing does
  std::string why;  ///< where nothing does

  bool operator==(const LaunchField&) const = default;
};

struct LaunchExport {
  std::vector<LaunchFile> files;
  std::vector<LaunchField> fields;  ///< each field of the strategy once, then what else is inexpressible
};

/// Collects what becomes of each field of a strategy; one that nobody speaks of is inexpressible.
class LaunchFields {
 public:
  explicit LaunchFields(const Strategy& strategy);

  /// Precondition of both: `field` is one of the strategy's, named for the first time.
  void maps(std::string_view field, std::string as);
  void cannot(std::string_view field, std::string why);
  /// maps() where `why` is empty, else cannot().
  void maps_unless(std::string_view field, std::string as, std::string why);
  /// By NCCL's environment, which is alike for all frameworks.
  void maps_aggregation(CollectiveAlgorithm algorithm);
  /// By the order of hosts, which is alike for all frameworks.
  void maps_node_order();
  /// What of the scenario cannot be said.
  void cannot_say(std::string field, std::string value, std::string why);

  std::vector<LaunchField> take() && { return std::move(fields_); }

 private:
  LaunchField& find(std::string_view field);
  std::vector<LaunchField> fields_;
};
/// LaunchField::why of a field that a framework's writer does not speak of: a defect.
inline constexpr std::string_view kFieldForgotten = "this version of the program does not know how";

/// Whether ranks lie as with `order`: axes along which there is one rank alone are free.
bool lies_as(const Strategy& strategy, const std::array<Axis, kNumAxes>& order);

/// Nodes that the ranks fill, and ranks on each. Where they do not fill them evenly ranks x nodes is more.
struct RanksOnNodes {
  std::int64_t nodes = 1;
  std::int64_t ranks_per_node = 1;
};
RanksOnNodes ranks_on_nodes(const Plan& plan);

/// The files that list nodes, in the order in which ranks fill them: `hostfile`, "node-0 slots=8", a line for
/// each node; `task_hosts`, a line for each rank, its host; `ranks.csv`: each rank's node, place in it, and
/// coordinates along the axes, as the plan has them. names: of all nodes of the hardware. Without, "node-3"
/// is to be replaced by a name, and in ranks.csv nodes are numbers.
std::vector<LaunchFile> node_files(const Plan& plan, const std::vector<std::string>& names = {});
/// The framework's own files, and then these.
std::vector<LaunchFile> with_node_files(const Plan& plan, std::vector<LaunchFile> files);

/// A line for people that says what a written file is, without "#": the plan's model, strategy and hash.
std::string launch_title(const Plan& plan);

}  // namespace portolan
