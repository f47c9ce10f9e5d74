#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace portolan {

/// How a file writes quantities: `memory: 80 GiB` in what people write, `"memory_bytes": 85899345920` in
/// what machines write. One description of a value's keys serves both.
enum class Notation : std::uint8_t { kUnits, kNumbers };

/// Where nodes come from. Shared by all nodes of a file.
struct DocumentOrigin {
  std::string file;    ///< as the user named it: "scenarios/x.yaml"
  std::string prefix;  ///< the key path of the document's root in that file: "", "hardware_overrides"
  Notation notation = Notation::kUnits;
  std::string mount = "";  ///< the key path of that root in the document that is read: "", "device"
};

struct DocumentEntry;

/// A value of a YAML or JSON file, with its line. Depth is bounded by DocumentBuilder, so that recursion
/// over nodes is safe.
struct DocumentNode {
  enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMapping };
  Kind kind = Kind::kNull;
  bool quoted = false;  ///< kScalar: a string by its notation, so neither number nor boolean
  int line = 0;         ///< from 1; 0: unknown
  std::shared_ptr<const DocumentOrigin> origin;
  std::string scalar;                  ///< kScalar
  std::vector<DocumentNode> items;     ///< kSequence
  std::vector<DocumentEntry> entries;  ///< kMapping: in the file's order, keys are unique
};

struct DocumentEntry {
  std::string key;
  int line = 0;
  DocumentNode value;
};

/// The entry of a mapping, or nullptr (also when `node` is none).
const DocumentEntry* find_entry(const DocumentNode& node, std::string_view key);

/// The node at a dotted path below `root` ("nic.bandwidth"), or the deepest one on the way there that
/// exists: what to point at when the value at the path is wrong. A key matches with its unit's suffix too;
/// "condition[2]" is an item of a list.
const DocumentNode& find_nearest(const DocumentNode& root, std::string_view dotted_path);

/// Lays `overrides` over `base`: mappings merge key by key, anything else replaces. Each node keeps its own
/// origin, so that a mistake in an override is reported where the override is.
void merge_overrides(DocumentNode& base, const DocumentNode& overrides);

/// Gives `node` and all below it another origin.
void set_origin(DocumentNode& node, const std::shared_ptr<const DocumentOrigin>& origin);

/// "FILE:LINE: prefix.path: message"; without the line or the path where they are unknown or empty. `path` is
/// that in the document that is read: the node's mount is left out of it.
std::string place_message(const DocumentNode& node, std::string_view path, std::string_view message);

/// Text of a file as a message may show it: one line of printable ASCII, cut when long.
std::string printable(std::string_view text);

}  // namespace portolan
