#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "plan/program.h"

namespace portolan {

/// Where the op instances of a Program run, by their id (OpIds).
class OpPlaces {
 public:
  struct Place {
    std::size_t stage = 0;
    std::size_t slot = 0;  ///< of the stage's order list
    std::size_t op = 0;    ///< of the slot's template
  };

  explicit OpPlaces(const Program& program) {
    const OpIds ids(program);
    places_.resize(static_cast<std::size_t>(ids.num_ids()));
    for (std::size_t s = 0; s < program.stages.size(); ++s) {
      const Stage& stage = program.stages[s];
      for (std::size_t i = 0; i < stage.order.size(); ++i) {
        const auto [t, microbatch] = stage.order[i];
        const std::size_t num_ops = stage.templates[static_cast<std::size_t>(t)].ops.size();
        for (std::size_t o = 0; o < num_ops; ++o) {
          const std::int64_t id =
              ids.id(static_cast<std::int32_t>(s), t, static_cast<std::int32_t>(o), microbatch);
          places_[static_cast<std::size_t>(id)] = {s, i, o};
        }
      }
    }
  }

  /// Precondition: the id of an instance that is in an order list.
  const Place& of(std::int64_t op_id) const { return places_[static_cast<std::size_t>(op_id)]; }

 private:
  std::vector<Place> places_;
};

}  // namespace portolan
