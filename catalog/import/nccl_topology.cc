#include "catalog/import/nccl_topology.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <pugixml.hpp>

#include "base/parse_quantity.h"
#include "catalog/document/node.h"
#include "catalog/import/link_rates.h"
#include "catalog/import/source_text.h"

namespace portolan {

namespace {

constexpr std::size_t kMaxDumpBytes = std::size_t{4} << 20U;
constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxGpus = 1024;
constexpr std::size_t kMaxCards = 4096;
constexpr std::int64_t kMaxLinks = 1000;
/// PCI Express base specification: lanes of a link.
constexpr std::array<std::int64_t, 7> kPcieWidths = {1, 2, 4, 8, 12, 16, 32};
/// Linux: what max_link_width says where it does not know (PCIE_LNK_WIDTH_RESRV, PCIE_LNK_WIDTH_UNKNOWN).
constexpr std::array<std::int64_t, 2> kUnknownWidths = {0, 255};
constexpr double kBytesPerSecondOfMegabit = 1e6 / 8;

/// What is above an element: its place among the PCI devices met, its CPU.
struct Surroundings {
  std::optional<std::size_t> pci;
  std::optional<std::int64_t> numa_node;
};

struct PciDevice {
  std::string address;
  std::optional<std::size_t> parent;
  std::optional<NcclPcieLink> link;
  std::int64_t num_gpus = 0;  ///< itself and below
};

/// NVLinks as they are written: `target` is a PCI address.
struct NvLinks {
  std::size_t gpu = 0;
  std::string target;
  std::string target_class;
  std::int64_t count = 0;
};

/// GT/s of "16.0 GT/s PCIe"; nothing for what is no speed of PCIe.
std::optional<double> parse_pcie_speed(std::string_view text) {
  const std::size_t unit = text.find("GT/s");
  const std::string_view behind = unit == std::string_view::npos ? text : trimmed(text.substr(unit + 4));
  if (!behind.empty() && behind != "PCIe") {
    return std::nullopt;
  }
  const Result<double> transfers = parse_number(trimmed(text.substr(0, unit)));
  return transfers && pcie_rate(*transfers, 1) ? std::optional(*transfers) : std::nullopt;
}

class NcclReader {
 public:
  NcclReader(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  Result<NcclTopology> read() {
    pugi::xml_document document;
    const pugi::xml_parse_result parsed =
        document.load_buffer(text_.data(), text_.size(), pugi::parse_default, pugi::encoding_utf8);
    if (!parsed) {
      return error_at(file_, line_at(parsed.offset), fmt::format("is not XML: {}", parsed.description()));
    }
    const pugi::xml_node root = document.document_element();
    if (std::string_view(root.name()) != "system") {
      return error_at(file_, line_of(root),
                      fmt::format("<{}> is not NCCL's topology (allowed: <system>)", printable(root.name())));
    }
    PORTOLAN_CHECK_OK(walk(root, {}, 1));
    if (topology_.gpus.empty()) {
      return bad_input(fmt::format("{}: names no GPU (allowed: <gpu> elements below <system>)", file_));
    }
    PORTOLAN_CHECK_OK(join_links());
    for (std::size_t i = 0; i < topology_.cards.size(); ++i) {
      topology_.cards[i].is_near_gpu = is_near_gpu(card_places_[i]);
    }
    topology_.file = file_name_of(file_);
    return std::move(topology_);
  }

 private:
  int line_at(std::ptrdiff_t offset) const {
    const auto end = std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(text_.size()));
    return 1 + static_cast<int>(std::count(text_.begin(), text_.begin() + end, '\n'));
  }
  int line_of(const pugi::xml_node& node) const { return line_at(node.offset_debug()); }
  Error error(const pugi::xml_node& node, std::string_view message) const {
    return error_at(file_, line_of(node), message);
  }

  /// A whole number; nothing without the attribute or for NCCL's -1.
  Result<std::optional<std::int64_t>> number(const pugi::xml_node& node, const char* name,
                                             std::int64_t most) const {
    const std::string_view value = node.attribute(name).value();
    if (value.empty() || value == "-1") {
      return std::optional<std::int64_t>();
    }
    const auto parsed = parse_count(value, most);
    if (!parsed) {
      return error(node, fmt::format("<{}> {}: \"{}\" is not a whole number (allowed: 0 to {})", node.name(),
                                     name, printable(value), most));
    }
    return parsed;
  }

  /// The depth is bounded, so that recursion is.
  Result<void> walk(const pugi::xml_node& parent, const Surroundings& above, int depth) {
    for (const pugi::xml_node& node : parent.children()) {
      if (node.type() != pugi::node_element) {
        continue;
      }
      if (depth > kMaxNesting) {
        return error(node, fmt::format("nested more than {} levels deep", kMaxNesting));
      }
      Surroundings here = above;
      const std::string_view name = node.name();
      if (name == "cpu") {
        PORTOLAN_CHECK_OK(enter_cpu(node, here));
      } else if (name == "pci") {
        PORTOLAN_CHECK_OK(enter_pci(node, here));
      } else if (name == "gpu") {
        PORTOLAN_CHECK_OK(add_gpu(node, here));
      } else if (name == "net") {
        PORTOLAN_CHECK_OK(add_card(node, here));
      }
      PORTOLAN_CHECK_OK(walk(node, here, depth + 1));
    }
    return {};
  }

  Result<void> enter_cpu(const pugi::xml_node& node, Surroundings& here) {
    const std::string host = node.attribute("host_hash").value();
    if (!host_.empty() && !host.empty() && host != host_) {
      return error(node, fmt::format("<cpu> host_hash: \"{}\" after \"{}\" (allowed: one host)",
                                     printable(host), printable(host_)));
    }
    host_ = host.empty() ? host_ : host;
    PORTOLAN_TRY(here.numa_node, number(node, "numaid", 1'000'000));
    return {};
  }

  Result<void> enter_pci(const pugi::xml_node& node, Surroundings& here) {
    PORTOLAN_TRY(std::optional<NcclPcieLink> link, pcie_link(node));
    pci_.push_back({.address = lower_case(node.attribute("busid").value()),
                    .parent = here.pci,
                    .link = std::move(link)});
    here.pci = pci_.size() - 1;
    return {};
  }

  /// The link of a device to what is above it; nothing where the file does not know its speed or width.
  Result<std::optional<NcclPcieLink>> pcie_link(const pugi::xml_node& node) const {
    const std::string_view speed = trimmed(node.attribute("link_speed").value());
    const bool is_unknown = speed.empty() || speed.starts_with("Unknown");
    const std::optional<double> transfers = parse_pcie_speed(speed);
    if (!is_unknown && !transfers) {
      return error(node, fmt::format("<pci> link_speed: \"{}\" is no speed of PCIe (allowed: 2.5, 5, 8, 16, "
                                     "32, 64 GT/s; empty or \"Unknown\" where it is not known)",
                                     printable(speed)));
    }
    PORTOLAN_TRY(const std::optional<std::int64_t> width, number(node, "link_width", kUnknownWidths.back()));
    const auto is_one_of = [&](const auto& widths) { return std::ranges::count(widths, *width) > 0; };
    if (width && !is_one_of(kPcieWidths) && !is_one_of(kUnknownWidths)) {
      return error(node,
                   fmt::format("<pci> link_width: \"{}\" is no width of PCIe (allowed: {} lanes; {} "
                               "where it is not known)",
                               *width, fmt::join(kPcieWidths, ", "), fmt::join(kUnknownWidths, " or ")));
    }
    if (is_unknown || !width || is_one_of(kUnknownWidths)) {
      return std::optional<NcclPcieLink>();
    }
    return std::optional(NcclPcieLink{.word = fmt::format("{} GT/s x {}", *transfers, *width),
                                      .rate = *pcie_rate(*transfers, *width),
                                      .line = line_of(node)});
  }

  Result<void> add_gpu(const pugi::xml_node& node, const Surroundings& above) {
    if (topology_.gpus.size() == kMaxGpus) {
      return error(node, fmt::format("more than {} GPUs", kMaxGpus));
    }
    if (node.attribute("gcn")) {
      return error(node, "<gpu> gcn: AMD's GPUs are not read (allowed: NVIDIA's, with sm)");
    }
    NcclGpu gpu;
    gpu.pci_address = above.pci ? pci_[*above.pci].address : std::string();
    gpu.line = line_of(node);
    gpu.numa_node = above.numa_node;
    PORTOLAN_TRY(gpu.sm, number(node, "sm", 1000));
    for (auto place = above.pci; place; place = pci_[*place].parent) {
      PciDevice& device = pci_[*place];
      topology_.gpus_per_pcie_switch = std::max(topology_.gpus_per_pcie_switch, ++device.num_gpus);
      if (device.link && (!gpu.pcie || device.link->rate < gpu.pcie->rate)) {
        gpu.pcie = device.link;
      }
    }
    for (const pugi::xml_node& link : node.children("nvlink")) {
      PORTOLAN_TRY(const std::optional<std::int64_t> count, number(link, "count", kMaxLinks));
      links_.push_back({.gpu = topology_.gpus.size(),
                        .target = lower_case(link.attribute("target").value()),
                        .target_class = link.attribute("tclass").value(),
                        .count = count.value_or(1)});
    }
    topology_.gpus.push_back(std::move(gpu));
    return {};
  }

  Result<void> add_card(const pugi::xml_node& node, const Surroundings& above) {
    NcclCard card;
    card.name = printable(node.attribute("name").value());
    card.line = line_of(node);
    card.numa_node = above.numa_node;
    if (card.name.empty()) {
      return error(node, "<net> has no name (allowed: a device such as mlx5_0)");
    }
    PORTOLAN_TRY(const std::optional<std::int64_t> speed, number(node, "speed", 100'000'000));
    if (speed.value_or(0) > 0) {
      card.speed = BytesPerSecond(static_cast<double>(*speed) * kBytesPerSecondOfMegabit);
    }
    const auto known = std::ranges::find(topology_.cards, card.name, &NcclCard::name);
    if (known != topology_.cards.end()) {
      // NCCL lists a card once more where it offers collectives of its own.
      return known->speed == card.speed
                 ? Result<void>()
                 : error(node,
                         fmt::format("<net> name: \"{}\" is there twice, at different speeds", card.name));
    }
    if (topology_.cards.size() == kMaxCards) {
      return error(node, fmt::format("more than {} network cards", kMaxCards));
    }
    topology_.cards.push_back(std::move(card));
    card_places_.push_back(above.pci);
    return {};
  }

  /// A target is a GPU of this node, or an NVSwitch (class 0x0680.., or one that a virtual machine hides).
  Result<void> join_links() {
    std::map<std::string_view, std::size_t> places;
    for (std::size_t i = 0; i < topology_.gpus.size(); ++i) {
      places.emplace(topology_.gpus[i].pci_address, i);
    }
    for (const NvLinks& links : links_) {
      NcclGpu& gpu = topology_.gpus[links.gpu];
      const auto peer = links.target.empty() ? places.end() : places.find(links.target);
      if (peer != places.end()) {
        gpu.num_peer_links.resize(topology_.gpus.size());
        gpu.num_peer_links[peer->second] += links.count;
      } else if (links.target_class.starts_with("0x03")) {
        return error_at(file_, gpu.line,
                        fmt::format("<nvlink> target: GPU \"{}\" is not in the file (allowed: the dump of a "
                                    "run on all GPUs of the node)",
                                    printable(links.target)));
      } else if (links.target_class == "0x068001") {
        return error_at(file_, gpu.line, "<nvlink> tclass: NVLink to the CPU is not described yet");
      } else {
        gpu.num_switch_links += links.count;
      }
    }
    return {};
  }

  bool is_near_gpu(std::optional<std::size_t> place) const {
    for (; place; place = pci_[*place].parent) {
      if (pci_[*place].num_gpus > 0) {
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  std::string_view file_;
  NcclTopology topology_;
  std::string host_;
  std::vector<PciDevice> pci_;
  std::vector<NvLinks> links_;
  std::vector<std::optional<std::size_t>> card_places_;
};

}  // namespace

std::int64_t NcclGpu::num_links() const {
  return std::accumulate(num_peer_links.begin(), num_peer_links.end(), num_switch_links);
}

Result<NcclTopology> read_nccl_topology(std::string_view text, std::string_view file) {
  PORTOLAN_CHECK_OK(check_source(text, file, kMaxDumpBytes));
  return NcclReader(text, file).read();
}

}  // namespace portolan
