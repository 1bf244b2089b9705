// SPDX-License-Identifier: Apache-2.0
#include "outside/top/view.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "outside/top/table.h"

namespace casemate::top {
namespace {

using ftxui::Element;
using ftxui::Elements;
using ftxui::hbox;
using ftxui::text;
using ftxui::vbox;
using operating::State;

// Title, head, details and keys, each with its line, around the rows.
constexpr ptrdiff_t kPage = 10;

Element paint(Element cell, uint32_t state) {
  switch (static_cast<State>(state)) {
    case State::kRunning:
      return cell | color(ftxui::Color::Green);
    case State::kStarting:
    case State::kBackingOff:
      return cell | color(ftxui::Color::Yellow);
    default:
      return cell | color(ftxui::Color::Red) | ftxui::bold;
  }
}

}  // namespace

void View::show(Picture picture, std::string clock) {
  picture_ = std::move(picture);
  clock_ = std::move(clock);
  if (stale_) message_.clear();
  seen_ = true;
  stale_ = false;
  order_rows();
  if (!picture_.rows.empty() && selected() == nullptr) {
    chosen_ = picture_.rows.front().id;
    asking_ = false;
  }
}

void View::complain(const Error& error) {
  stale_ = true;
  asking_ = false;
  message_ = printable(error.text);
}

void View::tell(std::string message) { message_ = printable(message); }

void View::order_rows() { sort_rows(picture_.rows, order_); }

const Row* View::selected() const {
  const auto found = std::ranges::find(picture_.rows, chosen_, &Row::id);
  return found != picture_.rows.end() ? &*found : nullptr;
}

void View::move(ptrdiff_t by) {
  if (picture_.rows.empty()) return;
  const Row* now = selected();
  const ptrdiff_t from = now != nullptr ? now - picture_.rows.data() : 0;
  const auto last = static_cast<ptrdiff_t>(picture_.rows.size()) - 1;
  chosen_ = picture_.rows[static_cast<size_t>(std::clamp<ptrdiff_t>(from + by, 0, last))].id;
}

View::Wish View::press(Key key) {
  const auto rows = static_cast<ptrdiff_t>(picture_.rows.size());
  asking_ = false;
  switch (key) {
    case Key::kUp:
      move(-1);
      break;
    case Key::kDown:
      move(1);
      break;
    case Key::kPageUp:
      move(-kPage);
      break;
    case Key::kPageDown:
      move(kPage);
      break;
    case Key::kHome:
      move(-rows);
      break;
    case Key::kEnd:
      move(rows);
      break;
    case Key::kEscape:
    case Key::kOther:
      break;
  }
  return {};
}

View::Wish View::press(char key) {
  const Row* const row = selected();
  if (std::exchange(asking_, false)) {
    message_.clear();
    if (row != nullptr && key == 'e') return {.kill = launch::Target{row->enclave, row->id}};
    if (row != nullptr && key == 'p') return {.kill = launch::Target{row->partition, {}}};
    return {};
  }
  if (key == 'q') return {.quit = true};
  if (key == 'k' && row != nullptr && !stale_) asking_ = true;
  if (key == 's') {
    do {
      order_ = static_cast<Order>((static_cast<int>(order_) + 1) % kOrders);
    } while (order_ == Order::kLatency && !picture_.latencies);
    order_rows();
  }
  if (!stale_) message_.clear();
  return {};
}

Element View::row(const std::vector<std::string>& cells, size_t state, size_t i) const {
  Elements parts;
  for (size_t c = 0; c < cells.size(); ++c) {
    if (c > 0) parts.push_back(text(std::string(kGap)));
    parts.push_back(c == state ? paint(text(cells[c]), picture_.rows[i].state) : text(cells[c]));
  }
  Element line = hbox(std::move(parts)) | ftxui::xflex;
  if (stale_) line = line | ftxui::dim;
  return picture_.rows[i].id == chosen_ ? line | ftxui::inverted | ftxui::focus : line;
}

// Of the selected one: all that its row may have had no room for.
Element View::details(int width) const {
  const Row* const row = selected();
  if (row == nullptr) return text("");
  std::string why = row->reason.empty() ? row->last_end : row->reason;
  if (row->reason.empty() && !why.empty()) why = "started anew: " + why;
  if (why.empty()) why = "has never been started anew";
  const std::string place =
      formatted("{} in {}: {}, share {}, standby {}, {} calls, up {}", row->enclave, row->partition,
                row->device, row->share, row->standby, row->calls,
                row->up_us == 0 ? "-" : time_text(row->up_us));
  // Two lines each at most, so that rows keep their places.
  const auto wrapped = [&](const std::string& line, int lines) {
    return ftxui::paragraph(line) | size(ftxui::HEIGHT, ftxui::LESS_THAN, lines + 1) |
           size(ftxui::WIDTH, ftxui::LESS_THAN, width + 1);
  };
  return vbox({wrapped(place, 2), wrapped(why, 2)});
}

Element View::last_line() const {
  if (asking_ && selected() != nullptr) {
    return text(formatted("Kill {}? e: the enclave alone, p: all of partition {}, other keys: no",
                          selected()->enclave, selected()->partition)) |
           ftxui::bold;
  }
  if (!message_.empty()) return text(message_) | color(ftxui::Color::Red);
  return text(formatted("q quit   k kill   s sort ({})   arrows select", order_name(order_))) |
         ftxui::dim;
}

Element View::draw(int width, int height) const {
  using ftxui::filler;
  const std::string left = " casemate top  " + (seen_ ? summary_of(picture_) : "looking ...");
  std::string right = stale_ ? "no answer " : formatted("every {}  {} ", every_, clock_);
  for (const std::string& shorter : {clock_ + " ", std::string()}) {
    if (left.size() + 2 + right.size() > static_cast<size_t>(width) && !stale_) right = shorter;
  }
  const Element title =
      hbox({text(left) | ftxui::flex_shrink, filler(), text(right)}) | ftxui::inverted;
  // One column is the bar that shows where in the list one is.
  const Table table = table_of(picture_, static_cast<size_t>(std::max(width - 1, 1)));
  Elements head;
  for (size_t c = 0; c < table.head.size(); ++c)
    head.push_back(text((c > 0 ? std::string(kGap) : "") + table.head[c]));
  Elements rows;
  for (size_t i = 0; i < table.cells.size(); ++i)
    rows.push_back(row(table.cells[i], table.state, i));
  Elements all = {title, hbox(std::move(head)) | ftxui::bold,
                  vbox(std::move(rows)) | ftxui::vscroll_indicator | ftxui::yframe | ftxui::flex};
  if (height >= 12) {
    all.push_back(ftxui::separator());
    all.push_back(details(width));
  }
  all.push_back(last_line());
  return vbox(std::move(all));
}

}  // namespace casemate::top
