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

}  // namespace

Result<void> calibrate_from_nccl_tests(const Session& session, const CalibrateFromArguments& arguments,
                                       Hardware hardware) {
  PORTOLAN_TRY(const NcclTestsRead read, read_all(arguments.files, hardware));
  const Result<LinkFit> fit = fit_links(read.collectives, hardware);
  if (!fit) {
    return bad_input(fmt::format("{}: {}", arguments.files.front(), fit.error().message));
  }
  set_links(*fit,
            fmt::format("fit to {} times of nccl-tests ({}): {:.1f} % mean error held back", fit->num_rows,
                        names_of(arguments.files), fit->held_back.mean_pct),
            hardware);
  PORTOLAN_CHECK_OK(write_file_atomically(arguments.out, write_hardware(hardware)));
  session.json() ? session.print_json(link_fit_json(*fit, read.num_malformed))
                 : session.print(what_was_read(read, *fit) + link_fit_table(*fit, session.width()));
  return {};
}

}  // namespace portolan
