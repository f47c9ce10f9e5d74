#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/measured/csv_table.h"
#include "topology/hardware.h"

namespace portolan {

/// Lower case, letters and digits; everything else separates.
std::vector<std::string> words_of(std::string_view text);
bool has_any(const std::vector<std::string>& words, std::initializer_list<std::string_view> any);

/// The precision that a column's text names among other words, 16-bit ones first: "bf16 in, fp32 out" is
/// bf16. Nothing where the field is empty. Errors (kBadInput): the text names none.
Result<std::optional<Precision>> precision_of(const CsvFields& fields, std::string_view column);

}  // namespace portolan
