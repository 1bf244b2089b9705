// SPDX-License-Identifier: Apache-2.0
// The tests play monitor and key service, and whoever sits between.
#include "outside/relay/relay.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>

#include "base/fd.h"
#include "base/format.h"
#include "outside/keys/http.h"
#include "outside/keys/nonces.h"
#include "outside/launch/address.h"
#include "outside/launch/listen.h"

namespace casemate::relay {
namespace {

using keys::HttpAnswer;
using keys::HttpRequest;
using operating::KeyAnswer;
using operating::KeyCommand;
using operating::KeyQuestion;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Calls `take` with each connection that somebody makes.
std::jthread accepting(Fd listener, std::function<void(Fd)> take) {
  return std::jthread(
      [listener = std::move(listener), take = std::move(take)](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          pollfd waiting{listener.number(), POLLIN, 0};
          if (::poll(&waiting, 1, 10) != 1) continue;
          Fd client(::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC));
          if (client.valid()) take(std::move(client));
        }
      });
}

struct Waiter {
  uint64_t ticket = 0;
  std::string name;
  Code vouch = Code::kOk;   // what the monitor says to that
  Code unlock = Code::kOk;  // and to that
  int asked = 0;            // how often it was to vouch
  std::optional<KeyQuestion> unlocked{};
};

class Monitor final {
 public:
  explicit Monitor(std::vector<Waiter> waiters) : waiters_(std::move(waiters)) {
    std::string folder = "/tmp/casemate-test-XXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const void* at = &address;
    EXPECT_EQ(::bind(socket.number(), static_cast<const sockaddr*>(at), sizeof address), 0);
    EXPECT_EQ(::listen(socket.number(), 16), 0);
    thread_ = accepting(std::move(socket), [this](Fd client) { answer(std::move(client)); });
  }
  ~Monitor() {
    thread_ = {};
    ::unlink(path().c_str());
    ::rmdir(folder_.c_str());
  }
  Monitor(const Monitor&) = delete;
  [[nodiscard]] std::string path() const { return folder_ + "/operator"; }

  Waiter look(size_t i) {
    const std::lock_guard held(lock_);
    return waiters_[i];
  }
  void change(size_t i, const std::function<void(Waiter&)>& how) {
    const std::lock_guard held(lock_);
    how(waiters_[i]);
  }
  void fall_silent() { silent_ = true; }

 private:
  void answer(Fd client) {
    if (silent_) return kept_.push_back(std::move(client));
    KeyQuestion question;
    if (::recv(client.number(), &question, sizeof question, 0) !=
        static_cast<ssize_t>(sizeof question))
      return;
    const auto said = std::make_unique<KeyAnswer>();
    said->code = static_cast<uint32_t>(code_for(question, *said));
    ::send(client.number(), said.get(), sizeof *said, MSG_NOSIGNAL);
  }
  Code code_for(const KeyQuestion& question, KeyAnswer& said) {
    const std::lock_guard held(lock_);
    const auto command = static_cast<KeyCommand>(question.command);
    for (Waiter& waiter : waiters_) {
      const bool wanted = command == KeyCommand::kNext ? waiter.ticket > question.ticket
                                                       : waiter.ticket == question.ticket;
      if (waiter.unlocked || !wanted) continue;
      said.ticket = waiter.ticket;
      said.name = Text<limits::kName>::from(waiter.name);
      sealed::KeyRequest request;
      request.name = Text<64>::from(waiter.name);
      std::ranges::copy(bytes_of(request), said.request.begin());
      if (command == KeyCommand::kVouch) ++waiter.asked;
      if (command == KeyCommand::kVouch) return waiter.vouch;
      if (command == KeyCommand::kNext) return Code::kOk;
      if (waiter.unlock == Code::kOk) waiter.unlocked = question;
      return waiter.unlock;
    }
    return Code::kNotFound;
  }

  std::string folder_;
  std::mutex lock_;
  std::vector<Waiter> waiters_;  // by ticket
  std::atomic<bool> silent_ = false;
  std::vector<Fd> kept_;
  std::jthread thread_;
};

// A key service, or who sits in front of it: `decide` answers each request for a key.
class KeyServer final {
 public:
  using Decide = std::function<HttpAnswer(const HttpRequest&)>;

  explicit KeyServer(Decide decide) : decide_(std::move(decide)) {
    Fd listener = *launch::listen_on("127.0.0.1:0");
    const auto where = launch::Address::parse(*launch::address_of(listener));
    url_ = {where->host, where->port};
    thread_ = accepting(std::move(listener), [this](Fd client) { serve(std::move(client)); });
  }
  [[nodiscard]] const client::Url& url() const { return url_; }
  void fall_silent() { silent_ = true; }

 private:
  void serve(Fd client) {
    if (silent_) return kept_.push_back(std::move(client));
    keys::RequestReader reader;
    ByteArray<4096> piece;
    for (bool whole = false; !whole;) {
      const ssize_t size = ::recv(client.number(), piece.data(), piece.size(), 0);
      if (size <= 0) return;
      const auto took = reader.take(Bytes(piece).first(static_cast<size_t>(size)));
      ASSERT_TRUE(took) << took.error().text;
      whole = *took;
    }
    const HttpRequest request = reader.request();
    const bool nonce = request.target == "/v1/nonce";
    const auto bytes = keys::bytes_of_answer(
        nonce ? HttpAnswer{200, std::vector<uint8_t>(sizeof(Nonce), 9)} : decide_(request));
    ::send(client.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  Decide decide_;
  client::Url url_;
  std::atomic<bool> silent_ = false;
  std::vector<Fd> kept_;
  std::jthread thread_;
};

HttpAnswer key_for(const HttpRequest& request) {
  sealed::WrappedKey wrapped;
  wrapped.nonce = load<sealed::KeyRequest>(request.body).nonce;
  const Bytes bytes = bytes_of(wrapped);
  return {200, {bytes.begin(), bytes.end()}};
}

HttpAnswer text(unsigned status, std::string_view said, std::string_view type) {
  const Bytes bytes = bytes_of(said);
  return {status, {bytes.begin(), bytes.end()}, std::string(type)};
}

bool comes(const std::function<bool()>& what) {
  const auto until = std::chrono::steady_clock::now() + seconds(15);
  while (!what()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

class KeyRelay : public testing::Test {
 protected:
  void start(Monitor& monitor, const KeyServer& service) {
    relay_.emplace(monitor.path(), service.url(), [this](const std::string& line) {
      const std::lock_guard held(lock_);
      told_ += line + "\n";
    });
  }
  std::string told() {
    const std::lock_guard held(lock_);
    return told_;
  }
  // How long that takes.
  milliseconds stopping() {
    const auto began = std::chrono::steady_clock::now();
    relay_.reset();
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
  }

  std::mutex lock_;
  std::string told_;
  std::optional<Relay> relay_;
};

bool unlocked(Monitor& monitor, size_t i, Code code) {
  const auto said = monitor.look(i).unlocked;
  return said && said->code == static_cast<uint32_t>(code);
}

TEST_F(KeyRelay, passes_over_one_whom_the_monitor_does_not_vouch_for_and_asks_ever_more_rarely) {
  Monitor monitor({{1, "hostile", Code::kUnavailable}, {2, "honest"}});
  const KeyServer service(key_for);
  start(monitor, service);
  EXPECT_TRUE(comes([&] { return unlocked(monitor, 1, Code::kOk); })) << told();
  std::this_thread::sleep_for(seconds(1));
  const int asked = monitor.look(0).asked;
  EXPECT_GT(asked, 1);
  EXPECT_LE(asked, 6);
  EXPECT_TRUE(told().contains("model hostile: waits for its key: ")) << told();
  monitor.change(0, [](Waiter& waiter) { waiter.vouch = Code::kOk; });
  EXPECT_TRUE(comes([&] { return unlocked(monitor, 0, Code::kOk); })) << told();
}

TEST_F(KeyRelay, passes_over_one_who_does_not_take_its_key) {
  Monitor monitor({{1, "hostile", Code::kOk, Code::kPlatform}, {2, "honest"}});
  const KeyServer service(key_for);
  start(monitor, service);
  EXPECT_TRUE(comes([&] { return unlocked(monitor, 1, Code::kOk); })) << told();
  EXPECT_FALSE(monitor.look(0).unlocked);
}

TEST_F(KeyRelay, passes_over_one_whose_key_the_service_cannot_give_now) {
  Monitor monitor({{1, "unlucky"}, {2, "honest"}});
  const KeyServer service([](const HttpRequest& request) {
    const bool no = load<sealed::KeyRequest>(request.body).name.view() == "unlucky";
    return no ? text(503, "not now\n", keys::kRefusalType) : key_for(request);
  });
  start(monitor, service);
  EXPECT_TRUE(comes([&] { return unlocked(monitor, 1, Code::kOk); })) << told();
  EXPECT_FALSE(monitor.look(0).unlocked);
  EXPECT_TRUE(told().contains("not now")) << told();
}

TEST_F(KeyRelay, tries_again_whatever_is_neither_a_key_nor_the_services_own_refusal) {
  Monitor monitor({{7, "model"}});
  std::atomic<int> times = 0;
  const KeyServer service([&](const HttpRequest& request) {
    HttpAnswer odd = key_for(request);
    switch (times++) {
      case 0:
        return text(404, "<h1>no such host</h1>", "text/html");
      case 1:
        return text(429, "too many", keys::kRefusalType);
      case 2:
        return text(200, "please log in", "text/html");
      case 3:
        odd.body.back() = 1;
        odd.body.push_back(0);
        return odd;
      case 4:
        return text(403, formatted("{} it is old\n", keys::kNonceRefused), keys::kRefusalType);
      default:
        return odd;
    }
  });
  start(monitor, service);
  EXPECT_TRUE(comes([&] { return monitor.look(0).unlocked.has_value(); })) << told();
  EXPECT_TRUE(unlocked(monitor, 0, Code::kOk)) << monitor.look(0).unlocked->reason.view();
  EXPECT_EQ(times, 6);
}

TEST_F(KeyRelay, gives_a_model_up_for_the_services_own_refusal_alone) {
  for (const unsigned status : {403u, 404u, 400u}) {
    Monitor monitor({{7, "model"}});
    std::atomic<int> times = 0;
    const KeyServer service([&](const HttpRequest&) {
      return text(status, "no", times++ == 0 ? "text/plain" : keys::kRefusalType);
    });
    start(monitor, service);
    EXPECT_TRUE(comes([&] { return monitor.look(0).unlocked.has_value(); })) << told();
    EXPECT_TRUE(unlocked(monitor, 0, Code::kDenied));
    EXPECT_EQ(monitor.look(0).unlocked->reason.view(), "the key service refuses its key: no");
    EXPECT_EQ(times, 2) << status;
    stopping();
  }
}

TEST_F(KeyRelay, outlives_exceptions_even_of_who_is_told_about_them) {
  Monitor monitor({{1, "model", Code::kUnavailable}});
  const KeyServer service(key_for);
  std::atomic<int> told = 0;
  relay_.emplace(monitor.path(), service.url(), [&](const std::string&) {
    ++told;
    throw std::bad_alloc();
  });
  EXPECT_TRUE(comes([&] { return told >= 2; })) << "one is about what happened, one about that";
  monitor.change(0, [](Waiter& waiter) { waiter.vouch = Code::kOk; });
  EXPECT_TRUE(comes([&] { return unlocked(monitor, 0, Code::kOk); }));
  stopping();  // before what it tells goes away
}

TEST_F(KeyRelay, stops_at_once_while_the_service_or_the_monitor_says_nothing) {
  Monitor monitor({{7, "model", Code::kUnavailable}});
  KeyServer service(key_for);
  start(monitor, service);
  ASSERT_TRUE(comes([&] { return monitor.look(0).asked > 0; }));
  service.fall_silent();
  std::this_thread::sleep_for(milliseconds(700));
  EXPECT_LT(stopping(), seconds(1));
  monitor.fall_silent();
  start(monitor, service);
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_LT(stopping(), seconds(1));
}

}  // namespace
}  // namespace casemate::relay
