#include "plan/links_asked.h"

#include <algorithm>
#include <cassert>

namespace portolan {

void LinksAsked::add(LinkIndex link) {
  assert(told_.empty());
  std::int32_t& place = of_link_[static_cast<std::size_t>(link)];
  if (place == kNone) {
    place = static_cast<std::int32_t>(links_.size());
    links_.push_back(link);
  }
}

const LinksAsked::Told& LinksAsked::told_by(const ToldRails& rails) {
  const auto known =
      std::find_if(told_.begin(), told_.end(), [&](const Told& told) { return told.rails == rails; });
  if (known != told_.end()) {
    return *known;
  }
  Told& told = told_.emplace_back();
  told.rails = rails;
  told.first.assign(of_link_.size(), kNone);
  for (std::size_t place = 0; place < links_.size(); ++place) {
    std::int32_t& first = told.first[static_cast<std::size_t>(rails.told(cluster_, links_[place]))];
    told.next.push_back(first);
    first = static_cast<std::int32_t>(place);
  }
  return told;
}

}  // namespace portolan
