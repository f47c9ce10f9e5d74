#include "catalog/impairment_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace portolan {
namespace {

using enum ImpairmentKind;

TEST(ImpairmentText, EventsAreThereAndBack) {
  struct Row {
    std::string text;
    ClusterEvent event;
    std::string written;
  };
  const std::vector<Row> rows = {
      {"slow-gpu node3.gpu5 0.7", {{kSlowGpu, "node3.gpu5", 0.7}}, "slow-gpu node3.gpu5 0.7"},
      {"slow-gpu  node3.gpu5 70% at 1.2s",
       {{kSlowGpu, "node3.gpu5", 0.7}, Seconds(1.2)},
       "slow-gpu node3.gpu5 0.7 at 1.2 s"},
      {"slow-link node0.nic1<->pod0.leaf1 0.5 at 0 s",
       {{kSlowLink, "node0.nic1<->pod0.leaf1", 0.5}},
       "slow-link node0.nic1<->pod0.leaf1 0.5"},
      {"congested-spine spine3 1 at 300 ms for 2 min",
       {{kCongestedSpine, "spine3", 1}, Seconds(0.3), Seconds(120)},
       "congested-spine spine3 1 at 0.3 s for 120 s"},
      {"slow-gpu node0.gpu0 5e-1 for 1 s",
       {{kSlowGpu, "node0.gpu0", 0.5}, Seconds(0), Seconds(1)},
       "slow-gpu node0.gpu0 0.5 for 1 s"},
      {"failed-nic node3.nic2 at 1.5 s",
       {{kFailedNic, "node3.nic2"}, Seconds(1.5)},
       "failed-nic node3.nic2 at 1.5 s"},
      {"failed-node node7", {{kFailedNode, "node7"}}, "failed-node node7"},
      {"dead-link pod0.leaf0->spine1", {{kDeadLink, "pod0.leaf0->spine1"}}, "dead-link pod0.leaf0->spine1"},
  };
  for (const Row& row : rows) {
    const Result<ClusterEvent> event = parse_event(row.text);
    ASSERT_TRUE(event) << row.text << ": " << event.error().message;
    EXPECT_EQ(*event, row.event) << row.text;
    EXPECT_EQ(event_text(*event), row.written);
    EXPECT_EQ(parse_event(row.written).value(), row.event);
  }
}

TEST(ImpairmentText, RefusesInOneLine) {
  const std::string example = "such as \"slow-gpu node3.gpu5 0.7\" or \"failed-nic node3.nic2\"";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {" ", "\" \" is empty (allowed: " + example + ")"},
      {"slow node3",
       "\"slow node3\" does not begin with what is wrong (allowed: slow-gpu, slow-link, dead-link, "
       "failed-nic, failed-node, congested-spine)"},
      {"slow-gpu node3.gpu5", "\"slow-gpu node3.gpu5\" is not \"slow-gpu PLACE SHARE\" (" + example + ")"},
      {"failed-nic node3.nic2 0.5",
       "\"failed-nic node3.nic2 0.5\" is not \"failed-nic PLACE\" (" + example + ")"},
      {"slow-gpu node3.gpu5 1.5",
       "\"slow-gpu node3.gpu5 1.5\" of which \"1.5\" is not what is left (allowed: "
       "above 0, at most 1, such as 0.7 or 70%)"},
      {"slow-gpu node3.gpu5 0 at 1 s",
       "\"slow-gpu node3.gpu5 0 at 1 s\" of which \"0\" is not what is left "
       "(allowed: above 0, at most 1, such as 0.7 or 70%)"},
      {"failed-node node7 at noon",
       "\"failed-node node7 at noon\" has no time behind \"at\" (allowed: 0 s and "
       "above, such as 1.2 s or 300 ms)"},
      {"slow-gpu node3.gpu5 0.7 for 0 s",
       "\"slow-gpu node3.gpu5 0.7 for 0 s\" has no time behind \"for\" "
       "(allowed: above 0 s, such as 1.2 s or 300 ms)"},
      {"slow-gpu node3.gpu5 0.7 for 1 s at 2 s",
       "\"slow-gpu node3.gpu5 0.7 for 1 s at 2 s\" has no time behind \"for\" (allowed: above 0 s, such as "
       "1.2 "
       "s or 300 ms)"},
      {"failed-node node7 for 1 s",
       "\"failed-node node7 for 1 s\" ends, but what fails stays so until the job is started again (allowed: "
       "\"for\" with slow-gpu, slow-link, congested-spine)"},
      {"failed-node \n", "\"failed-node ?\" is not \"failed-node PLACE\" (" + example + ")"},
  };
  for (const auto& [text, message] : rows) {
    const Result<ClusterEvent> event = parse_event(text);
    ASSERT_FALSE(event) << text;
    EXPECT_EQ(event.error().message, message);
  }
}

}  // namespace
}  // namespace portolan
