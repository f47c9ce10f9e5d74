#pragma once

#include "catalog/document/section.h"
#include "catalog/json/json_value.h"
#include "plan/program.h"

namespace portolan {

/// A Program as plan files hold it (docs/plan-file.md): fields at their defaults are left out; a kernel, a
/// buffer and a slot are one line each; a slot is ["forward 0", 3], its template's name (or index) and its
/// microbatch, so that an order list can be edited by hand.
JsonValue to_json(const Program& program);

/// The inverse. Records unknown keys, words that do not exist and every index that names nothing, with its
/// path; whether an interpreter could run the program is check_program's question.
void read_program(DocumentSection& section, Program& program);

}  // namespace portolan
