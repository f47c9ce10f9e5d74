#include "cli/calibrate_links.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "catalog/hardware_yaml.h"
#include "catalog/measured/collective_rows.h"
#include "catalog/measured/nccl_tests.h"
#include "catalog/measured/text_stream.h"
#include "cli/fit_json.h"
#include "report/link_report.h"
#include "study/link_fit.h"

namespace portolan {

namespace {

struct NcclTestsRead {
  std::vector<MeasuredCollective> collectives;
  std::vector<std::string> other_programs;
  std::int64_t num_malformed = 0;
};

Result<NcclTestsRead> read_all(const std::vector<std::string>& files, const Hardware& hardware) {
  NcclTestsRead all;
  for (const std::string& file : files) {
    PORTOLAN_TRY(const std::unique_ptr<TextStream> stream, TextStream::open(file));
    PORTOLAN_TRY(const NcclTestsOutput output, read_nccl_tests(*stream, file));
    PORTOLAN_CHECK_OK(stream->check());
    for (const NcclTest& test : output.tests) {
      PORTOLAN_TRY(MeasuredCollective placed, place_nccl_test(test, hardware, file));
      all.collectives.push_back(std::move(placed));
    }
    all.other_programs.insert(all.other_programs.end(), output.other_programs.begin(),
                              output.other_programs.end());
    all.num_malformed += output.num_malformed;
  }
  return all;
}

std::string what_was_read(const NcclTestsRead& read, const LinkFit& fit) {
  std::string text = fmt::format("{} tests of {} times used", fit.collectives.size(), fit.num_rows);
  if (!read.other_programs.empty()) {
    text += fmt::format("; {} left out: no plan has it", fmt::join(read.other_programs, ", "));
  }
  if (read.num_malformed > 0) {
    text += fmt::format("; {} rows left out that are cut or have other output within", read.num_malformed);
  }
  return text + "\n\n";
}

std::string names_of(const std::vector<std::string>& files) {
  const std::string first = std::filesystem::path(files.front()).filename().string();
  return files.size() == 1 ? first : fmt::format("{} and {} more files", first, files.size() - 1);
}

/// Fits, writes the hardware file with `tests` as what the constants are from, and prints.
/// `read`: of the fit, what was read and left out.
template <typename Read>
Result<void> fit_and_write(const Session& session, const CalibrateFromArguments& arguments, Hardware hardware,
                           const std::vector<MeasuredCollective>& collectives, const std::string& tests,
                           std::int64_t num_left_out, const Read& read) {
  const Result<LinkFit> fit = fit_links(collectives, hardware);
  if (!fit) {
    return bad_input(fmt::format("{}: {}", arguments.files.front(), fit.error().message));
  }
  set_links(*fit,
            fmt::format("fit to {} times of {}: {:.1f} % mean error held back", fit->num_fitted, tests,
                        fit->held_back.mean_pct),
            hardware);
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  session.json() ? session.print_json(link_fit_json(*fit, num_left_out))
                 : session.print(read(*fit) + link_fit_table(*fit, session.width()));
  return {};
}

}  // namespace

Result<void> calibrate_from_nccl_tests(const Session& session, const CalibrateFromArguments& arguments,
                                       Hardware hardware) {
  PORTOLAN_TRY(const NcclTestsRead read, read_all(arguments.files, hardware));
  return fit_and_write(session, arguments, std::move(hardware), read.collectives,
                       fmt::format("nccl-tests ({})", names_of(arguments.files)), read.num_malformed,
                       [&](const LinkFit& fit) { return what_was_read(read, fit); });
}

Result<void> calibrate_from_collective_rows(const Session& session, const CalibrateFromArguments& arguments,
                                            Hardware hardware) {
  const std::string& file = arguments.files.front();
  PORTOLAN_TRY(const std::string text, read_file(file));
  PORTOLAN_TRY(CollectiveTable table, read_collective_rows(text, file));
  const auto total = std::ssize(table.rows) + table.num_others;
  std::erase_if(table.rows, [&](const CollectiveRow& row) {
    return !row.gpu.starts_with(arguments.gpu) ||
           (row.num_nodes > 1 && !row.inter_link.starts_with(arguments.inter_link));
  });
  const std::vector<MeasuredCollective> collectives = place_collective_rows(table.rows, hardware, file);
  std::int64_t num_used = 0;
  for (const MeasuredCollective& collective : collectives) {
    num_used += std::ssize(collective.rows);
  }
  return fit_and_write(session, arguments, std::move(hardware), collectives, names_of(arguments.files),
                       total - num_used, [&](const LinkFit& fit) {
                         return fmt::format("{} times of {} groups of ranks used; {} other rows left out\n\n",
                                            fit.num_rows, collectives.size(), total - num_used);
                       });
}

}  // namespace portolan
