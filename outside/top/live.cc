// SPDX-License-Identifier: Apache-2.0
#include "outside/top/live.h"

#include <termios.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <ctime>
#include <ftxui/component/component.hpp>
#include <ftxui/component/loop.hpp>
#include <ftxui/component/screen_interactive.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "base/format.h"
#include "outside/top/table.h"

namespace casemate::top {
namespace {

using ftxui::Event;

// What the terminal was, for signal handlers.
termios terminal_before{};

// FTXUI leaves its loop on SIGTERM, from its own handler, and puts the terminal back then.
void end_politely(int) { std::raise(SIGTERM); }

// FTXUI would return from it, into the same fault again.
void end_at_once(int signal) {
  constexpr std::string_view kBack = "\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[0m";
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, kBack.data(), kBack.size());
  ::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return formatted("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string seconds_text(Duration interval) {
  return formatted("{:g} s", std::chrono::duration<double>(interval).count());
}

std::optional<View::Key> key_of(const Event& event) {
  const std::pair<const Event&, View::Key> keys[] = {
      {Event::ArrowUp, View::Key::kUp},    {Event::ArrowDown, View::Key::kDown},
      {Event::PageUp, View::Key::kPageUp}, {Event::PageDown, View::Key::kPageDown},
      {Event::Home, View::Key::kHome},     {Event::End, View::Key::kEnd},
      {Event::Escape, View::Key::kEscape},
  };
  for (const auto& [known, key] : keys) {
    if (event == known) return key;
  }
  return std::nullopt;
}

// Takes again what FTXUI takes each time that it takes the terminal.
void take_signals() {
  for (const int signal : {SIGHUP, SIGQUIT}) std::signal(signal, end_politely);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    std::signal(signal, end_at_once);
}

// Looks from a thread of its own, so that keys are answered while the monitor does not.
class Looker final {
 public:
  explicit Looker(const Live& live) : live_(live), thread_([this] { run(); }) {}
  ~Looker() {
    {
      const std::lock_guard held(lock_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  void look_now() {
    {
      const std::lock_guard held(lock_);
      hurried_ = true;
    }
    changed_.notify_all();
  }
  // What was seen since this was asked last.
  std::optional<Result<Picture>> fresh() {
    const std::lock_guard held(lock_);
    return std::exchange(fresh_, std::nullopt);
  }

 private:
  void run() {
    std::unique_ptr<Look> before;
    std::unique_lock held(lock_);
    while (!over_) {
      held.unlock();
      auto look = live_.look();
      auto now = look ? std::make_unique<Look>(*std::move(look)) : nullptr;
      Result<Picture> seen = look.has_value() ? Result<Picture>(picture_of(*now, before.get()))
                                              : Result<Picture>(look.error());
      before = std::move(now);
      held.lock();
      fresh_ = std::move(seen);
      changed_.wait_for(held, live_.interval, [this] { return over_ || hurried_; });
      hurried_ = false;
    }
  }

  const Live& live_;
  std::mutex lock_;
  std::condition_variable changed_;
  std::optional<Result<Picture>> fresh_;
  bool over_ = false;
  bool hurried_ = false;
  std::thread thread_;
};

// All of FTXUI is called from one thread.
class Screen final {
 public:
  explicit Screen(const Live& live)
      : live_(live),
        screen_(ftxui::ScreenInteractive::Fullscreen()),
        view_(seconds_text(live.interval)) {}

  void run() {
    screen_.TrackMouse(false);  // so that the terminal's own way to mark and copy works
    const auto component = ftxui::CatchEvent(
        ftxui::Renderer([this] { return view_.draw(screen_.dimx(), screen_.dimy()); }),
        [this](const Event& event) { return take(event); });
    ftxui::Loop loop(&screen_, component);
    take_signals();
    Looker looker(live_);
    while (!loop.HasQuitted()) {
      loop.RunOnceBlocking();  // a few milliseconds: FTXUI has a beat of its own
      if (std::exchange(killed_, false)) looker.look_now();
      auto seen = looker.fresh();
      if (!seen) continue;
      take_signals();
      *seen ? view_.show(**std::move(seen), time_of_day()) : view_.complain(seen->error());
      screen_.PostEvent(Event::Custom);  // so that it is drawn
    }
  }

 private:
  bool take(const Event& event) {
    View::Wish wish;
    if (const auto key = key_of(event)) {
      wish = view_.press(*key);
    } else if (event.is_character() && event.character().size() == 1) {
      wish = view_.press(event.character().front());
    } else {
      return false;
    }
    if (wish.quit) screen_.Exit();
    if (wish.kill) kill(*wish.kill);
    return true;
  }

  void kill(const launch::Target& target) {
    const Status done = live_.kill(target);
    view_.tell(done ? formatted("{} was killed and is starting again", target.name)
                    : done.error().text);
    killed_ = true;
  }

  const Live& live_;
  ftxui::ScreenInteractive screen_;
  View view_;
  bool killed_ = false;
};

}  // namespace

void run(const Live& live) {
  ::tcgetattr(STDIN_FILENO, &terminal_before);
  Screen(live).run();
  for (const int signal : {SIGHUP, SIGQUIT}) std::signal(signal, SIG_DFL);
}

Result<std::string> once(const Live& live) {
  const Look before = TRY(live.look());
  std::this_thread::sleep_for(live.interval);
  const Look now = TRY(live.look());
  return plain_text(picture_of(now, &before));
}

}  // namespace casemate::top
