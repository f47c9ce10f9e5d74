#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "topology/cluster_layout.h"

namespace portolan {

// Names of a cluster's parts as link_name.h writes them, read. Nothing where the cluster has no such part.

/// "node3": its dense index, as of all below.
std::optional<std::int64_t> find_node(const ClusterLayout& layout, std::string_view name);
/// "node3.gpu5"
std::optional<std::int64_t> find_gpu(const ClusterLayout& layout, std::string_view name);
/// "node3.nic2"
std::optional<std::int64_t> find_nic(const ClusterLayout& layout, std::string_view name);
/// "spine0", with several groups "group1.spine0"
std::optional<std::int64_t> find_spine(const ClusterLayout& layout, std::string_view name);
/// What name_of_link() calls so.
std::optional<LinkIndex> find_link(const ClusterLayout& layout, std::string_view name);

}  // namespace portolan
