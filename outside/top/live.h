// SPDX-License-Identifier: Apache-2.0
#pragma once
// Live: a view on the terminal until somebody quits, looking again every so often.
//
//   Owns     the terminal while it runs. It is put back as it was when the user quits, on SIGINT,
//            SIGTERM, SIGHUP and SIGQUIT, while it is stopped by SIGTSTP, and when the program
//            crashes; SIGKILL alone leaves it, and `reset` mends it.
//   Threads  one that looks, beside FTXUI's own; the caller's draws.
//   Trust    the user's own terminal.
//   Fails    cannot; a look that fails is shown, and taken again.

#include <functional>

#include "outside/top/view.h"

namespace casemate::top {

struct Live {
  std::function<Result<Look>()> look;  // called from a thread of its own
  std::function<Status(const launch::Target&)> kill;
  Duration interval{};
};

// Until the user quits or a signal says so.
void run(const Live& live);

// Two looks, the interval between them, as plain text.
Result<std::string> once(const Live& live);

}  // namespace casemate::top
