#include "tests/property/sim/random_activity_graph.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "tests/unit/sim/activity_graph_builder.h"

namespace portolan::testing {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  ActivityGraph generate() {
    const int num_links = below(8) + 1;
    const int num_paths = below(10) + 1;
    const int num_activities = below(40) + 1;
    // A crowd of equal sizes on few links meets in ties; sizes of many magnitudes meet in long fractions.
    is_uniform_ = below(3) == 0;
    for (int i = 0; i < num_links; ++i) graph_.link(is_uniform_ ? 25e9 : magnitude(1e8, 1e12));
    for (int i = 0; i < num_paths; ++i) {
      std::vector<std::int32_t> links;
      for (int length = below(5); length > 0; --length) links.push_back(below(num_links));
      graph_.path(links);
    }
    for (std::int32_t i = 0; i < num_activities; ++i) {
      add_activity(num_paths);
      for (int edges = i == 0 ? 0 : below(3); edges > 0; --edges) graph_.depend(below(i), i);
    }
    return graph_.build();
  }

 private:
  int below(int bound) { return static_cast<int>(random_.next_below(static_cast<std::uint64_t>(bound))); }
  double magnitude(double least, double most) {
    return least * std::pow(most / least, random_.next_uniform());
  }
  double amount(double usual, double least, double most) {
    if (below(10) == 0) return 0;
    return is_uniform_ ? usual * (1 + below(2)) : magnitude(least, most);
  }

  void add_activity(int num_paths) {
    const int kind = below(10);
    // One random number a statement: the order of arguments differs between compilers.
    if (kind == 0) {
      graph_.join();
    } else if (kind < 4) {
      const std::int32_t device = below(4);
      graph_.compute(device, amount(0.04, 1e-6, 1));
    } else {
      const std::int32_t path = below(num_paths);
      const double bytes = amount(1e9, 1, 1e11);
      graph_.transfer(path, bytes, amount(5e-6, 1e-7, 1e-2));
    }
  }

  RandomStream random_;
  ActivityGraphBuilder graph_;
  bool is_uniform_ = false;
};

}  // namespace

ActivityGraph random_activity_graph(std::uint64_t seed) { return Generator(seed).generate(); }

void add_random_changes(ActivityGraph& graph, std::uint64_t seed, Seconds span) {
  RandomStream random(seed + 77);
  const auto below = [&](std::int64_t bound) {
    return static_cast<std::int32_t>(random.next_below(static_cast<std::uint64_t>(bound)));
  };
  for (Activity& activity : graph.activities) {
    activity.fixed = below(3) == 0 ? activity.seconds * random.next_uniform() : Seconds(0);
  }
  for (int count = below(7); count > 0; --count) {
    RateChange change;
    const bool of_link = graph.num_devices == 0 || below(2) == 0;
    change.kind = of_link ? RateChange::Kind::kLink : RateChange::Kind::kDevice;
    change.index = below(of_link ? std::ssize(graph.links) : graph.num_devices);
    change.at = below(5) == 0 ? Seconds(0) : span * (1.5 * random.next_uniform());
    change.share = below(4) == 0 ? 1 : 0.05 + 0.9 * random.next_uniform();
    graph.changes.push_back(change);
  }
  std::stable_sort(graph.changes.begin(), graph.changes.end(),
                   [](const RateChange& a, const RateChange& b) { return a.at < b.at; });
}

}  // namespace portolan::testing
