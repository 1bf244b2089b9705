// SPDX-License-Identifier: Apache-2.0
#pragma once
// View: the screen of `casemate top`: what is shown, what is selected, and what a key does to it.
//
//   Owns     the picture that is shown.
//   Threads  one: the terminal's.
//   Trust    needs none.
//   Fails    cannot; what the system refuses is shown in its last line.

#include <ftxui/dom/elements.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "outside/launch/names.h"
#include "outside/top/picture.h"

namespace casemate::top {

class View final {
 public:
  // What a key asks for beyond the screen.
  struct Wish {
    bool quit = false;
    std::optional<launch::Target> kill;
  };

  explicit View(std::string every) : every_(std::move(every)) {}

  void show(Picture picture, std::string clock);
  // A look that failed: what was seen before stays.
  void complain(const Error& error);
  // What became of a kill.
  void tell(std::string message);

  enum class Key : uint8_t { kUp, kDown, kPageUp, kPageDown, kHome, kEnd, kEscape, kOther };
  Wish press(Key key);
  // A character of its own.
  Wish press(char key);

  // Requires: nothing; `width` and `height` are the terminal's.
  [[nodiscard]] ftxui::Element draw(int width, int height) const;
  [[nodiscard]] const Row* selected() const;

 private:
  void order_rows();
  void move(ptrdiff_t by);
  [[nodiscard]] ftxui::Element row(const std::vector<std::string>& cells, size_t state,
                                   size_t i) const;
  [[nodiscard]] ftxui::Element details(int width) const;
  [[nodiscard]] ftxui::Element last_line() const;

  std::string every_;
  std::string clock_;
  Picture picture_;
  bool seen_ = false;
  bool stale_ = false;
  std::string message_;
  Order order_ = Order::kListed;
  std::optional<uint32_t> chosen_;  // the enclave's id: it stays selected when rows move
  bool asking_ = false;             // whether the selected one is to be killed
};

}  // namespace casemate::top
