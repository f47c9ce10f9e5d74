#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace portolan {

/// A model's config.json, written by hand after the released one, its shipped file in scenarios/models/, and
/// its published number of parameters.
struct PublishedConfig {
  std::string name;  ///< of scenarios/models/NAME.yaml
  std::string json;
  double parameters = 0;
  double active_parameters = 0;  ///< as many as `parameters` where the model is dense
  double tolerance = 0;          ///< relative: how far the published figures are rounded
};

std::vector<PublishedConfig> published_configs();
/// The text of one of them.
std::string published_json(const std::string& name);

}  // namespace portolan
