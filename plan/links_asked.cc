#include "plan/links_asked.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace portolan {

void LinksAsked::add(LinkIndex link) {
  assert(told_.empty());
  if (!std::exchange(is_there_[link], true)) {
    links_.push_back(link);
  }
}

const LinksAsked::Told& LinksAsked::told_by(const ToldGroups& groups) {
  const auto known =
      std::find_if(told_.begin(), told_.end(), [&](const Told& told) { return told.groups == groups; });
  if (known != told_.end()) {
    return *known;
  }
  Told& told = told_.emplace_back();
  told.groups = groups;
  for (const LinkIndex link : links_) {
    told.links.push_back(groups.told(cluster_, link));
    told.places[told.links.back()].push_back(static_cast<std::uint32_t>(told.links.size() - 1));
  }
  return told;
}

}  // namespace portolan
