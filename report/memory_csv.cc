#include "report/memory_csv.h"

#include <fmt/format.h>

#include <iterator>

namespace portolan {

std::string memory_csv(const std::vector<SlotMemory>& rows, const Program& program) {
  std::string text =
      "stage,slot,template,microbatch,start_s,end_s,allocated_bytes,reserved_bytes,host_bytes\n";
  for (const SlotMemory& row : rows) {
    const Stage& stage = program.stages[static_cast<std::size_t>(row.stage)];
    const Slot& slot = stage.order[static_cast<std::size_t>(row.slot)];
    // Names of templates are words, figures and blanks (template_assembler.h): nothing to quote.
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{}\n", row.stage, row.slot,
                   stage.templates[static_cast<std::size_t>(slot.template_index)].name, slot.microbatch,
                   row.start.value, row.end.value, row.allocated.value, row.reserved.value, row.host.value);
  }
  return text;
}

}  // namespace portolan
