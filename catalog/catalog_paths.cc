#include "catalog/catalog_paths.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string>
#include <system_error>

#include "catalog/document/node.h"

namespace portolan {

namespace fs = std::filesystem;

bool is_path(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.ends_with(".yaml") || name.ends_with(".yml") ||
         name.ends_with(".json");
}

Result<fs::path> find_in_catalog(const CatalogPaths& paths, std::string_view kind, std::string_view name) {
  std::set<std::string> names;
  for (const fs::path& folder : paths.folders) {
    std::error_code code;
    for (fs::directory_iterator entry(folder / kind, code), end; !code && entry != end;
         entry.increment(code)) {
      if (entry->path().extension() != ".yaml") {
        continue;
      }
      if (entry->path().stem() == name) {
        return entry->path();
      }
      names.insert(entry->path().stem().string());
    }
  }
  return bad_input(fmt::format("\"{}\" is not in any {}/ folder (there are: {}; or name a file)",
                               printable(name), kind,
                               names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

}  // namespace portolan
