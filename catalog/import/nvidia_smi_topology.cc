#include "catalog/import/nvidia_smi_topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "catalog/document/node.h"
#include "catalog/import/source_text.h"

namespace portolan {

namespace {

constexpr std::size_t kMaxMatrixBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxMatrixDevices = 512;
constexpr std::int64_t kMaxNvLinks = 1000;

constexpr std::array<std::pair<std::string_view, Nearness>, 6> kNearnessWords = {{
    {"X", Nearness::kSelf},
    {"PIX", Nearness::kPix},
    {"PXB", Nearness::kPxb},
    {"PHB", Nearness::kPhb},
    {"NODE", Nearness::kNode},
    {"SYS", Nearness::kSys},
}};

/// Without "ESC [ ... m", with which nvidia-smi underlines its header even in files.
std::string without_underlining(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '[') {
      const std::size_t end = text.find_first_not_of("0123456789;", i + 2);
      if (end != std::string_view::npos && text[end] == 'm') {
        i = end;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

std::optional<NvidiaSmiCell> parse_cell(std::string_view word) {
  for (const auto& [text, nearness] : kNearnessWords) {
    if (text == word) {
      return NvidiaSmiCell{.nearness = nearness};
    }
  }
  if (word.starts_with("NV")) {
    const auto count = parse_count(word.substr(2), kMaxNvLinks);
    if (count.value_or(0) > 0) {
      return NvidiaSmiCell{.nearness = Nearness::kNvlink, .num_links = *count};
    }
  }
  return std::nullopt;
}

class NvidiaSmiReader {
 public:
  NvidiaSmiReader(std::string_view text, std::string_view file) : lines_(text, file), file_(file) {}

  Result<NvidiaSmiTopology> read() {
    PORTOLAN_CHECK_OK(read_header());
    for (std::size_t row = 0; row < columns_.size(); ++row) {
      PORTOLAN_CHECK_OK(read_row(row));
    }
    while (lines_.next()) {
      read_legend();
    }
    return std::move(topology_);
  }

 private:
  /// Columns are devices up to "CPU Affinity" and what follows it.
  Result<void> read_header() {
    while (lines_.next()) {
      const auto words = words_between_spaces(lines_.line());
      if (words.empty() || words[0] != "GPU0") {
        continue;
      }
      const auto end = std::ranges::find_if(words, [](auto word) { return word == "CPU" || word == "NUMA"; });
      columns_.assign(words.begin(), end);
      if (columns_.size() > kMaxMatrixDevices) {
        return lines_.error(
            fmt::format("{} devices (allowed: up to {})", columns_.size(), kMaxMatrixDevices));
      }
      topology_.file = file_name_of(file_);
      while (topology_.num_gpus < columns_.size() &&
             columns_[topology_.num_gpus] == fmt::format("GPU{}", topology_.num_gpus)) {
        ++topology_.num_gpus;
      }
      for (std::size_t i = topology_.num_gpus; i < columns_.size(); ++i) {
        if (columns_[i].starts_with("GPU")) {
          return lines_.error(fmt::format("column \"{}\" where GPU{} or a network card is expected",
                                          printable(columns_[i]), topology_.num_gpus));
        }
        topology_.cards.push_back(printable(columns_[i]));
      }
      return {};
    }
    return bad_input(
        fmt::format("{}: has no matrix (allowed: what \"nvidia-smi topo -m\" prints, with a line of columns "
                    "GPU0 ...)",
                    file_));
  }

  Result<void> read_row(std::size_t row) {
    bool found = false;
    while (!found && lines_.next()) {
      found = !trimmed(lines_.line()).empty();
    }
    const auto words = found ? words_between_spaces(lines_.line()) : std::vector<std::string_view>();
    if (!found || words[0] != columns_[row]) {
      return lines_.error(fmt::format("{} where the row of {} is expected",
                                      found ? "\"" + printable(words[0]) + "\"" : "the end",
                                      printable(columns_[row])));
    }
    if (words.size() <= columns_.size()) {
      return lines_.error(fmt::format("row {} has {} cells (allowed: {}, one a column)",
                                      printable(columns_[row]), words.size() - 1, columns_.size()));
    }
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      PORTOLAN_CHECK_OK(add_cell(row, column, words[column + 1]));
    }
    return {};
  }

  Result<void> add_cell(std::size_t row, std::size_t column, std::string_view word) {
    const auto place = [&] {
      return fmt::format("row {}, column {}", printable(columns_[row]), printable(columns_[column]));
    };
    const std::optional<NvidiaSmiCell> cell = parse_cell(word);
    if (!cell) {
      return lines_.error(fmt::format("{}: \"{}\" is not known (allowed: X, NV#, PIX, PXB, PHB, NODE, SYS)",
                                      place(), printable(word)));
    }
    if ((row == column) != (cell->nearness == Nearness::kSelf)) {
      return lines_.error(
          fmt::format("{}: \"{}\" is not allowed (X joins a device to itself, and only there)", place(),
                      printable(word)));
    }
    if (column < row && topology_.cells[column * columns_.size() + row] != *cell) {
      return lines_.error(
          fmt::format("{}: \"{}\" differs from the cell across the diagonal", place(), printable(word)));
    }
    topology_.cells.push_back(*cell);
    return {};
  }

  /// "NIC0: mlx5_0"
  void read_legend() {
    const auto words = words_between_spaces(lines_.line());
    if (words.size() != 2 || !words[0].ends_with(':')) {
      return;
    }
    const std::string_view column = words[0].substr(0, words[0].size() - 1);
    for (std::size_t i = 0; i < topology_.cards.size(); ++i) {
      if (columns_[topology_.num_gpus + i] == column) {
        topology_.cards[i] = printable(words[1]);
      }
    }
  }

  SourceLines lines_;
  std::string_view file_;
  std::vector<std::string_view> columns_;
  NvidiaSmiTopology topology_;
};

}  // namespace

bool NvidiaSmiTopology::is_near_gpu(std::size_t card) const {
  for (std::size_t gpu = 0; gpu < num_gpus; ++gpu) {
    const Nearness nearness = between(num_gpus + card, gpu).nearness;
    if (nearness == Nearness::kPix || nearness == Nearness::kPxb) {
      return true;
    }
  }
  return false;
}

Result<NvidiaSmiTopology> read_nvidia_smi_topology(std::string_view text, std::string_view file) {
  const std::string plain = without_underlining(text.substr(0, kMaxMatrixBytes + 1));
  PORTOLAN_CHECK_OK(
      check_source(text.size() > kMaxMatrixBytes ? text : std::string_view(plain), file, kMaxMatrixBytes));
  return NvidiaSmiReader(plain, file).read();
}

}  // namespace portolan
