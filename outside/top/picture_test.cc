// SPDX-License-Identifier: Apache-2.0
#include "outside/top/picture.h"

#include <gtest/gtest.h>

#include "outside/top/latencies.h"
#include "outside/top/made_up_system.h"
#include "outside/top/table.h"

namespace casemate::top {
namespace {

TEST(Picture, has_rates_of_the_time_between_two_looks_and_none_of_one_look) {
  const Look first = system_of(2);
  const Picture one = picture_of(first, nullptr);
  ASSERT_EQ(one.rows.size(), 3u);
  EXPECT_FALSE(one.per_second);
  EXPECT_FALSE(one.rows[1].per_second);
  const Look second = later(first, 2);
  const Picture two = picture_of(second, &first);
  EXPECT_DOUBLE_EQ(two.rows[1].per_second.value(), 100);
  EXPECT_DOUBLE_EQ(two.rows[2].per_second.value(), 200);
  EXPECT_DOUBLE_EQ(two.rows[0].per_second.value(), 300) << "all requests come through the gateway";
  EXPECT_DOUBLE_EQ(two.per_second.value(), 300);
}

TEST(Picture, of_another_system_at_the_same_socket_has_no_rates) {
  const Look old = later(system_of(2), 100);
  Look fresh = system_of(2);
  fresh.at = old.at + std::chrono::seconds(1);
  EXPECT_FALSE(picture_of(fresh, &old).rows[1].per_second) << "counts went back";
  Look other = later(old, 1);
  other.reply.enclaves[1].id = 7;
  EXPECT_FALSE(picture_of(other, &old).rows[1].per_second) << "another enclave";
  EXPECT_FALSE(picture_of(old, &old).rows[1].per_second) << "no time has passed";
}

TEST(Picture, shows_what_keeps_an_enclave_from_running) {
  using operating::State;
  Look look = system_of(3);
  look.reply.partitions[1].state = static_cast<uint32_t>(State::kBackingOff);
  look.reply.enclaves[2].state = static_cast<uint32_t>(State::kRefused);
  look.reply.enclaves[2].reason = Text<256>::from("node 'conv1'\x1b[2J: no\n");
  look.reply.enclaves[3].starts = 4;
  look.reply.partitions[3].last_end = Text<96>::from("its runtime died: SIGSEGV");
  const Picture picture = picture_of(look, nullptr);
  EXPECT_EQ(picture.rows[1].state, static_cast<uint32_t>(State::kBackingOff));
  EXPECT_EQ(picture.rows[2].reason, "node 'conv1'?[2J: no?") << "a model's file may have said it";
  EXPECT_EQ(picture.rows[3].restarts, 3u);
  EXPECT_EQ(picture.rows[3].last_end, "its runtime died: SIGSEGV");
  EXPECT_EQ(picture.running, 2u);
}

TEST(Picture, is_sorted_by_what_is_most_and_stays_as_listed_where_that_is_equal) {
  const Look first = system_of(3);
  const Look second = later(first, 1);
  Picture picture = picture_of(second, &first);
  sort_rows(picture.rows, Order::kRate);
  EXPECT_EQ(picture.rows[0].enclave, "gateway");
  EXPECT_EQ(picture.rows[1].enclave, "model2/1");
  EXPECT_EQ(picture.rows[3].enclave, "model0/1");
  picture = picture_of(second, &first);
  sort_rows(picture.rows, Order::kRestarts);
  EXPECT_EQ(picture.rows[1].enclave, "model0/1") << "nobody was restarted";
}

TEST(Latencies, are_the_mean_of_the_requests_between_two_looks) {
  const char* metrics =
      "# HELP nv_inference_request_success Requests with a result\n"
      "nv_inference_request_success{model=\"model0\",version=\"1\"} 100\n"
      "nv_inference_request_success{model=\"model1\",version=\"1\"} 7\n"
      "nv_inference_request_duration_us{model=\"model0\",version=\"1\"} 50000\n"
      "nv_inference_request_duration_us{model=\"model1\"} 1\n"
      "nv_inference_request_success{model=\"model0\",version=\"2\"} many\n"
      "nv_inference_request_success{model=\"cut";
  Look first = system_of(2);
  first.served = served_models(metrics);
  ASSERT_EQ(first.served->size(), 2u);
  EXPECT_EQ(first.served->at("model0/1").requests, 100u);
  Look second = later(first, 1);
  second.served = first.served;
  second.served->at("model0/1") = {.requests = 110, .total_us = 70'000};
  const Picture picture = picture_of(second, &first);
  EXPECT_DOUBLE_EQ(picture.rows[1].latency_ms.value(), 2);
  EXPECT_FALSE(picture.rows[2].latency_ms) << "nobody asked it";
  EXPECT_TRUE(plain_text(picture).contains("2.00 ms")) << plain_text(picture);
}

TEST(PlainText, is_one_frame_with_everything_and_no_escape_sequence) {
  Look first = system_of(2, "a-model-with-a-name-that-is-longer-than-most-");
  first.reply.partitions[1].last_end = Text<96>::from("the operator ended it");
  const Look second = later(first, 2);
  EXPECT_EQ(plain_text(picture_of(second, &first)),
            "3 of 3 enclaves run in 3 partitions, 300 requests/s\n"
            "\n"
            "ENCLAVE                                           "
            "PARTITION                                       "
            "DEVICE  SHARE  STATE    REQ/S  RESTARTS         UP  STANDBY  CALLS\n"
            "gateway                                           "
            "gateway                                         "
            "none    all    running    300         0  1 min 5 s  ready        0\n"
            "a-model-with-a-name-that-is-longer-than-most-0/1  "
            "a-model-with-a-name-that-is-longer-than-most-0  "
            "cpu:0   all    running    100         0  1 min 5 s  ready      200\n"
            "    started anew: the operator ended it\n"
            "a-model-with-a-name-that-is-longer-than-most-1/1  "
            "a-model-with-a-name-that-is-longer-than-most-1  "
            "cpu:0   all    running    200         0  1 min 5 s  ready      400\n");
}

TEST(Table, of_any_width_that_people_have_fits_it_and_keeps_what_matters) {
  Look look = system_of(3, "a-model-with-a-name-that-is-longer-than-most-");
  look.reply.partitions[2].cpu_percent = 150;
  look.reply.partitions[2].cpu_mask = 0b1011;
  const Picture picture = picture_of(look, nullptr);
  for (size_t width = 40; width <= 220; ++width) {
    const Table table = table_of(picture, width);
    for (const auto& cells : table.cells) {
      size_t sum = kGap.size() * (cells.size() - 1);
      for (const std::string& cell : cells) sum += cell.size();
      ASSERT_LE(sum, width) << width;
      ASSERT_EQ(cells.size(), table.head.size());
    }
    EXPECT_TRUE(table.head[table.state].starts_with("STATE")) << width;
  }
  EXPECT_EQ(table_of(picture, 100).cells[1][0].back(), '~') << "that a name was cut is shown";
}

TEST(Text, of_rates_and_times_is_short_and_has_a_unit) {
  EXPECT_EQ(rate_text(0), "0.0");
  EXPECT_EQ(rate_text(812.3), "812");
  EXPECT_EQ(rate_text(123'456), "123k");
  EXPECT_EQ(rate_text(9'000'000), "9.0M");
  EXPECT_EQ(time_text(59'999'999), "59 s");
  EXPECT_EQ(time_text(3'599'000'000), "59 min 59 s");
  EXPECT_EQ(time_text(7'260'000'000), "2 h 1 min");
  EXPECT_EQ(time_text(443'000'000'000), "5 d 3 h");
}

}  // namespace
}  // namespace casemate::top
