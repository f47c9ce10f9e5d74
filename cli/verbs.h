#pragma once

namespace CLI {
class App;
}

namespace portolan {

class Session;

/// Each adds one verb to the command line; its body runs through Session::run. One file a verb.
void add_plan_verb(CLI::App& app, Session& session);
void add_why_verb(CLI::App& app, Session& session);
void add_simulate_verb(CLI::App& app, Session& session);
void add_calibrate_verb(CLI::App& app, Session& session);
void add_import_verb(CLI::App& app, Session& session);
void add_run_verb(CLI::App& app, Session& session);
void add_compare_verb(CLI::App& app, Session& session);
void add_validate_verb(CLI::App& app, Session& session);
void add_export_verb(CLI::App& app, Session& session);
void add_sweep_verb(CLI::App& app, Session& session);
void add_reproduce_verb(CLI::App& app, Session& session);

}  // namespace portolan
