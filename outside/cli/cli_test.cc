// SPDX-License-Identifier: Apache-2.0
// The commands as a user runs them, against a server on loopback; only the process is left out.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/clock.h"
#include "base/format.h"
#include "outside/cli/command.h"
#include "outside/client/file.h"
#include "outside/client/npy.h"
#include "outside/client/testing/pictures.h"
#include "outside/client/testing/test_server.h"
#include "outside/verify/intel/testing/platform.h"
#include "outside/verify/jose/jose.h"
#include "outside/verify/testing/issuer.h"
#include "outside/verify/x509/testing/authority.h"

namespace casemate::cli {
namespace {

using client::testing::grey_png;
using client::testing::http;
using client::testing::HttpRequest;
using client::testing::Reply;
using client::testing::TestFolder;
using client::testing::TestServer;
using nlohmann::json;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome casemate(std::initializer_list<std::string> arguments) {
  std::ostringstream out;
  std::ostringstream err;
  const std::vector<std::string> list(arguments);
  const int code = run(list, {out, err});
  return {code, out.str(), err.str()};
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

size_t lines(std::string_view text) { return std::ranges::count(text, '\n'); }

// A server whose evidence is made now, and a folder with a white picture in it.
class Cli : public testing::Test {
 protected:
  TestServer server_{system_clock().unix_seconds()};
  TestFolder folder_;
  std::string white_ = folder_.file("white.png", grey_png(40, 40, 255));
  static constexpr auto kAllow = "--allow-software-root";
};

TEST_F(Cli, infer_prints_the_verdict_and_then_the_best_classes) {
  const Outcome done = casemate(
      {"infer", server_.url(), "digits", "--input", "image=" + white_, "--top", "2", kAllow});
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_TRUE(done.out.starts_with("verified-development: root software ")) << done.out;
  EXPECT_TRUE(contains(done.out, "probabilities FP32 [1,10]\n  nine  ")) << done.out;
  EXPECT_TRUE(contains(done.out, " 0.9100\n  zero ")) << done.out;
  EXPECT_EQ(lines(done.out), 4u);
  EXPECT_TRUE(done.err.empty());
}

TEST_F(Cli, a_bare_file_is_the_input_of_a_model_with_one) {
  const Outcome done =
      casemate({"infer", server_.url(), "digits", "--input", white_, "--invert", kAllow});
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_TRUE(contains(done.out, "  zero  ")) << "inverted, the picture is black";
}

TEST_F(Cli, an_unverified_client_is_refused_in_one_line_and_sends_nothing) {
  const Outcome done = casemate({"infer", server_.url(), "digits", "--input", white_});
  EXPECT_EQ(done.code, kRefused);
  EXPECT_TRUE(done.out.empty());
  EXPECT_TRUE(done.err.starts_with("casemate: refused: root.kind: ")) << done.err;
  EXPECT_TRUE(contains(done.err, "--allow-software-root"));
  EXPECT_EQ(lines(done.err), 1u);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(Cli, several_inputs_go_to_their_names_and_outputs_to_their_files) {
  const ByteArray<8> floats = {0, 0, 128, 63, 0, 0, 0, 64};
  const ByteArray<16> integers = {7};
  const auto x = client::write_npy({ElementType::kFloat32, {2}, floats});
  const auto y = client::write_npy({ElementType::kInt64, {1, 2}, integers});
  const std::string out = folder_.path("out.npy");
  const Outcome done =
      casemate({"infer", server_.url(), "echo", "--input", "y=" + folder_.file("y.npy", *y),
                "--input", "x=" + folder_.file("x.npy", *x), "--output", "x=" + out, kAllow});
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_EQ(*client::read_file(out, 1000), *x);
  EXPECT_TRUE(contains(done.out, "y INT64 [1,2]\n"));
}

TEST_F(Cli, infer_as_json_is_one_object_with_the_verdict_in_it) {
  const Outcome done =
      casemate({"infer", server_.url(), "digits", "--input", white_, "--json", kAllow});
  EXPECT_EQ(done.code, kDone) << done.err;
  const json answer = json::parse(done.out);
  EXPECT_EQ(answer["verdict"]["status"], "verified-development");
  EXPECT_EQ(answer["outputs"][0]["classes"][0]["label"], "nine");
  EXPECT_EQ(answer["outputs"][0]["classes"].size(), 5u);
}

TEST_F(Cli, inputs_that_do_not_fit_the_model_are_refused_with_what_would) {
  const auto infer = [&](const std::string& model, const std::string& input) {
    const Outcome done = casemate({"infer", server_.url(), model, "--input", input, kAllow});
    EXPECT_EQ(done.code, kRefused) << done.out;
    EXPECT_EQ(lines(done.err), 1u);
    return done.err;
  };
  const auto wrong = client::write_npy({ElementType::kUint8, {1}, ByteArray<1>{1}});
  const std::string array = folder_.file("a.npy", *wrong);
  EXPECT_TRUE(
      contains(infer("digits", array), "takes FP32 [-1,1,28,28], and the file holds UINT8"));
  const std::vector<uint8_t> zeros(sizeof(double) * 28 * 28);
  const auto wide = client::write_npy({ElementType::kFloat64, {1, 1, 28, 28}, zeros});
  EXPECT_TRUE(contains(infer("digits", folder_.file("w.npy", *wide)), "the file holds FP64"));
  EXPECT_TRUE(contains(infer("digits", "picture=" + white_), "no input \"picture\"; it has image"));
  EXPECT_TRUE(contains(infer("echo", array), "say which with NAME=FILE; they are x, y"));
  EXPECT_TRUE(contains(infer("digits", "image=" + folder_.path("none")), "there is no file"));
  EXPECT_TRUE(contains(infer("digits", "image="), "should be NAME=FILE"));
  EXPECT_TRUE(contains(infer("digits", folder_.file("t", bytes_of(std::string_view("hello")))),
                       "this is no .npy file"));
  EXPECT_TRUE(contains(infer("missing", white_), "there is no model named 'missing'"));
}

TEST_F(Cli, image_settings_hold_against_the_models_own) {
  const auto infer = [&](const std::string& setting) {
    return casemate({"infer", server_.url(), "digits", "--input", white_, "--image", setting,
                     "--json", kAllow});
  };
  const Outcome done = infer("scale=0.001");
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_EQ(json::parse(done.out)["outputs"][0]["classes"][0]["label"], "two");
  EXPECT_TRUE(contains(infer("size=14x14").err, "has shape [-1,1,28,28]"));
  EXPECT_TRUE(contains(infer("colour=grey").err, "--image colour=grey should be"));
}

TEST_F(Cli, attest_tells_the_whole_verdict) {
  const Outcome done = casemate({"attest", server_.url(), kAllow, "--model", "digits"});
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_TRUE(done.out.starts_with("DEVELOPMENT ROOT"));
  EXPECT_TRUE(contains(done.out, "model digits on cpu:0"));
  EXPECT_TRUE(contains(done.out, "passed  token.nonce"));
}

TEST_F(Cli, attest_of_a_refused_server_tells_the_verdict_and_exits_with_one) {
  const Outcome text = casemate({"attest", server_.url()});
  EXPECT_EQ(text.code, kRefused);
  EXPECT_TRUE(contains(text.out, "failed  root.kind")) << text.out;
  EXPECT_EQ(lines(text.err), 1u);
  const Outcome machine = casemate({"attest", server_.url(), "--json"});
  EXPECT_EQ(machine.code, kRefused);
  EXPECT_EQ(json::parse(machine.out)["first_failure"]["code"], "root.kind");
}

TEST_F(Cli, a_learned_policy_pins_what_was_seen) {
  const std::string policy = folder_.path("p.json");
  const Outcome saved =
      casemate({"attest", server_.url(), kAllow, "--model", "digits", "--learn", policy});
  EXPECT_EQ(saved.code, kDone) << saved.err;
  const Outcome done =
      casemate({"infer", server_.url(), "digits", "--input", white_, "--policy", policy});
  EXPECT_EQ(done.code, kDone) << done.err;
  const Outcome other =
      casemate({"infer", server_.url(), "echo", "--input", white_, "--policy", policy});
  EXPECT_EQ(other.code, kRefused);
  EXPECT_TRUE(contains(other.err, "model.name of model echo")) << other.err;
  TestServer imposter(system_clock().unix_seconds());
  const Outcome refused =
      casemate({"infer", imposter.url(), "digits", "--input", white_, "--policy", policy});
  EXPECT_EQ(refused.code, kRefused);
  EXPECT_TRUE(contains(refused.err, "root.key")) << refused.err;
}

TEST_F(Cli, a_policy_learned_of_a_refused_server_says_so_and_trusts_it_no_more) {
  const std::string policy = folder_.path("p.json");
  const Outcome learned =
      casemate({"attest", server_.url(), "--model", "digits", "--learn", policy});
  EXPECT_EQ(learned.code, kRefused) << "it is still refused";
  EXPECT_TRUE(contains(learned.out, "to be reviewed")) << learned.out;
  EXPECT_TRUE(contains(learned.out, "NOT VERIFIED (root.kind)")) << learned.out;
  const Outcome strict = casemate({"attest", server_.url(), "--policy", policy});
  EXPECT_EQ(strict.code, kRefused);
  EXPECT_TRUE(contains(strict.err, "root.kind")) << "nobody opted in: " << strict.err;
  EXPECT_EQ(casemate({"attest", server_.url(), "--policy", policy, kAllow}).code, kDone);
  TestServer imposter(system_clock().unix_seconds());
  const Outcome other = casemate({"attest", imposter.url(), "--policy", policy, kAllow});
  EXPECT_TRUE(contains(other.err, "root.key")) << other.err;
}

TEST_F(Cli, nothing_is_learned_of_a_server_that_proves_nothing) {
  const std::string policy = folder_.path("p.json");
  server_.bend([](auto& signer) { signer.tokens[0].epoch = 0; });
  const Outcome older = casemate({"attest", server_.url(), kAllow, "--learn", policy});
  EXPECT_EQ(older.code, kRefused);
  EXPECT_TRUE(contains(older.err, "nothing was learned")) << older.err;
  const verify::testing::Signer thief;
  server_.show(thief.tls, server_.signer.evidence());
  EXPECT_EQ(casemate({"attest", server_.url(), kAllow, "--learn", policy}).code, kRefused);
  EXPECT_FALSE(client::read_file(policy, 1000));
}

TEST_F(Cli, the_schema_of_policies_is_printed) {
  const Outcome done = casemate({"verify", "--policy-schema"});
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_TRUE(contains(done.out, "\"$id\": \"urn:casemate:policy\"")) << done.out;
}

TEST_F(Cli, a_policy_file_with_a_mistake_is_refused_by_name) {
  const std::string path =
      folder_.file("p.json", bytes_of(std::string_view(R"({"platfrom": []})")));
  const Outcome done = casemate({"attest", server_.url(), "--policy", path});
  EXPECT_EQ(done.code, kRefused);
  EXPECT_TRUE(contains(done.err, "\"platfrom\" is not known")) << done.err;
}

TEST_F(Cli, verify_judges_a_file_off_line) {
  const verify::testing::Signer& signer = server_.signer;
  const std::string evidence = folder_.file("e.cbor", signer.evidence());
  const std::string key = folder_.file("k.der", signer.tls.public_der());
  const std::string certificate =
      folder_.file("c.der", verify::testing::make_certificate(signer.tls, signer.evidence()));
  EXPECT_EQ(casemate({"verify", evidence, "--key", key, kAllow}).code, kDone);
  EXPECT_EQ(casemate({"verify", evidence, "--cert", certificate, kAllow}).code, kDone);
  const Outcome strict = casemate({"verify", evidence, "--key", key});
  EXPECT_EQ(strict.code, kRefused);
  EXPECT_TRUE(contains(strict.err, "root.kind"));
  const Outcome keyless = casemate({"verify", evidence, kAllow});
  EXPECT_EQ(keyless.code, kRefused);
  EXPECT_TRUE(contains(keyless.err, "--key SPKI.der")) << keyless.err;
  const Outcome other = casemate({"verify", evidence, "--key", evidence, kAllow});
  EXPECT_TRUE(contains(other.err, "claims.tls_key")) << other.err;
}

TEST_F(Cli, verify_judges_a_hardware_root_s_quote_by_a_folder_of_collateral) {
  const verify::intel::testing::TestPlatform made(verify::intel::testing::Kind::kTdx4);
  const verify::Collateral collateral = made.collateral();
  const std::string quote = folder_.file("q.bin", made.quote());
  const std::string hex = folder_.file("q.hex", bytes_of(std::string_view(to_hex(made.quote()))));
  TestFolder vendor;
  for (const auto& document : collateral.documents()) vendor.file(document.name, document.content);
  const std::string empty = vendor.path(".");
  // The lists of revoked keys are missing: refused by default, with what to fetch.
  const Outcome done = casemate({"verify", quote, "--collateral", empty, "--at", "1772323200"});
  EXPECT_EQ(done.code, kRefused);
  EXPECT_TRUE(contains(done.err, "intel.chain")) << done.err;
  EXPECT_TRUE(contains(done.out, "mrtd")) << done.out;
  const std::string rules =
      formatted(R"({{"allow_software_root": true, "intel": {{"development_roots": ["{}"]}}}})",
                to_hex(made.root.key_hash()));
  const std::string policy = folder_.file("i.json", bytes_of(std::string_view(rules)));
  const Outcome lists = casemate(
      {"verify", hex, "--collateral", empty, "--at", "1772323200", "--policy", policy, "--json"});
  EXPECT_EQ(lists.code, kRefused);
  EXPECT_TRUE(contains(lists.err, "intel.revocation")) << lists.err;
  EXPECT_TRUE(contains(lists.out, R"("status": "UpToDate")")) << lists.out;
  const Outcome keyed = casemate({"verify", quote, "--key", quote});
  EXPECT_TRUE(contains(keyed.err, "--report-data")) << keyed.err;
  const Outcome none = casemate({"verify", policy, "--collateral", empty});
  EXPECT_TRUE(contains(none.err, "platform.format")) << none.err;
}

TEST_F(Cli, verify_finds_evidence_and_key_in_a_certificate_of_ours) {
  const verify::testing::Signer& signer = server_.signer;
  const auto der = verify::testing::make_certificate(signer.tls, signer.evidence());
  const auto read = verify::X509Certificate::from_der(der);
  ASSERT_TRUE(read);
  const std::string pem = verify::testing::pem_of(*read);
  for (const std::string& file :
       {folder_.file("c.der", der), folder_.file("c.pem", bytes_of(std::string_view(pem)))}) {
    const Outcome done = casemate({"verify", file, kAllow});
    EXPECT_EQ(done.code, kDone) << done.err;
    EXPECT_TRUE(contains(casemate({"verify", file}).err, "root.kind"));
  }
}

TEST_F(Cli, verify_writes_a_result_that_others_can_check) {
  const verify::testing::Signer& signer = server_.signer;
  const std::string evidence = folder_.file("e.cbor", signer.evidence());
  const std::string key = folder_.file("k.der", signer.tls.public_der());
  const std::string pem = verify::testing::pem_of(signer.attestation);
  const std::string ear_key = folder_.file("ear.pem", bytes_of(std::string_view(pem)));
  const std::string path = folder_.file("result.jwt", {});
  const auto result = [&] {
    const auto jws = verify::read_jws(text_of(*client::read_file(path, 1 << 20)));
    return jws && verify::check_jws(*jws, signer.attestation.public_der()) ? jws->payload : "";
  };
  EXPECT_EQ(
      casemate({"verify", evidence, "--key", key, kAllow, "--ear", path, "--ear-key", ear_key})
          .code,
      kDone);
  EXPECT_TRUE(contains(result(), R"("ear_status":"warning")")) << result();
  EXPECT_EQ(casemate({"verify", evidence, "--key", key, "--ear", path, "--ear-key", ear_key}).code,
            kRefused);
  EXPECT_TRUE(contains(result(), R"("ear_status":"contraindicated")")) << result();
  EXPECT_EQ(casemate({"verify", evidence, "--key", key, kAllow, "--ear", path}).code, kUsage);
}

TEST_F(Cli, verify_takes_a_time_a_nonce_and_a_model) {
  Nonce nonce{};
  nonce.fill(0xAB);
  SessionBinding session{};
  session.fill(0xCD);
  const std::string evidence =
      folder_.file("e.cbor", server_.fresh_evidence(proof_nonce(nonce, session), "digits"));
  const std::string key = folder_.file("k.der", server_.signer.tls.public_der());
  const std::string hex = to_hex(nonce);
  const auto judged = [&](std::initializer_list<std::string> more) {
    std::ostringstream out;
    std::ostringstream err;
    std::vector<std::string> list = {"verify", evidence, "--key", key, kAllow};
    list.insert(list.end(), more);
    if (more.size() > 0 && !std::ranges::contains(list, "--session")) {
      list.emplace_back("--session");
      list.push_back(to_hex(session));
    }
    const int code = run(list, {out, err});
    return formatted("{} {}", code, err.str());
  };
  EXPECT_EQ(judged({"--nonce", hex}), "0 ");
  EXPECT_EQ(judged({"--nonce", hex, "--model", "digits", "--json"}), "0 ");
  EXPECT_TRUE(
      contains(judged({"--nonce", hex, "--model", "faces"}), "1 casemate: refused: model."));
  EXPECT_TRUE(contains(judged({}), "token.nonce"));
  EXPECT_TRUE(contains(judged({"--nonce", hex, "--session", hex}), "token.nonce"))
      << "another connection";
  EXPECT_TRUE(
      contains(casemate({"verify", evidence, "--key", key, "--nonce", hex}).err, "--session HEX"));
  EXPECT_TRUE(contains(judged({"--nonce", "ab"}), "64 hexadecimal"));
  EXPECT_TRUE(contains(judged({"--nonce", hex, "--at", "2020-01-01T00:00:00Z"}), "in the future"));
  EXPECT_TRUE(contains(judged({"--nonce", hex, "--at", "2523000000"}), "days old") ||
              contains(judged({"--nonce", hex, "--at", "2523000000"}), "s old"));
  EXPECT_TRUE(contains(judged({"--nonce", hex, "--at", "soon"}), "is no time"));
  EXPECT_TRUE(contains(judged({"--nonce", hex, "--at", "2020-01-01T00:00:00Zzz"}), "is no time"));
}

TEST_F(Cli, servers_that_are_not_there_or_silent_are_a_failed_platform) {
  const Outcome gone = casemate({"attest", "https://127.0.0.1:1", kAllow});
  EXPECT_EQ(gone.code, kPlatform);
  EXPECT_TRUE(contains(gone.err, "no connection to 127.0.0.1:1")) << gone.err;
  server_.ignore_connections();
  const Outcome silent = casemate({"attest", server_.url(), kAllow, "--timeout", "0.2"});
  EXPECT_EQ(silent.code, kPlatform);
  EXPECT_TRUE(contains(silent.err, "in time")) << silent.err;
}

TEST_F(Cli, a_busy_server_is_asked_again_if_the_user_says_so) {
  auto count = std::make_shared<int>(0);
  server_.hook([count](const HttpRequest&) -> std::optional<Reply> {
    if (++*count % 2 == 0) return std::nullopt;
    return Reply{http(503, R"({"error": "busy"})", "Retry-After: 0\r\n")};
  });
  EXPECT_EQ(casemate({"attest", server_.url(), kAllow}).code, kPlatform);
  EXPECT_EQ(casemate({"attest", server_.url(), kAllow, "--retries", "1"}).code, kDone);
}

TEST(Usage, mistakes_in_the_command_line_exit_with_two) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {},
           {"infre"},
           {"infer"},
           {"infer", "https://a:1", "m"},
           {"attest", "https://a:1", "--timeout", "0"},
           {"attest", "https://a:1", "--timeout", "soon"},
           {"attest", "https://a:1", "--no-such-flag"},
           {"verify", "e", "--key", "k", "--cert", "c"},
           {"serve", "--log", "xml"},
           {"kill"},
           {"top", "--interval", "0"},
           {"check"},
           {"check", "m.onnx", "--shape", "N"},
           {"plan", "m.onnx"},
           {"profile", "m.onnx", "--by", "chance"},
           {"zoo", "lenet-5"},
           {"zoo", "-o", "m.onnx"},
           {"zoo", "lenet-5", "-o", "m.onnx", "--seed", "-1"},
           {"zoo", "lenet-5", "-o", "m.onnx", "--quantised", "no"},
           {"zoo", "lenet-5", "-o", "m.onnx", "vgg-16"}}) {
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run(arguments, {out, err}), kUsage);
    EXPECT_FALSE(err.str().empty());
  }
}

TEST(Usage, help_and_version_are_no_mistakes) {
  const Outcome help = casemate({"--help"});
  EXPECT_EQ(help.code, kDone);
  for (const std::string_view name : {"infer", "attest", "verify", "check", "plan", "profile"})
    EXPECT_TRUE(contains(help.out, name));
  EXPECT_TRUE(casemate({"--version"}).out.starts_with("casemate "));
  EXPECT_TRUE(contains(casemate({"infer", "--help"}).out, "--allow-software-root"));
}

TEST(Usage, of_an_operator_where_no_system_runs_is_answered_with_a_sentence) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"status"}, {"status", "--json"}, {"kill", "digits"}, {"top"}, {"top", "--once"}}) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"--socket", "/nowhere/operator"});
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run(all, {out, err}), kRefused);
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(err.str(),
              "casemate: /nowhere/operator: nobody answers there; start a system with casemate "
              "serve\n");
  }
}

TEST(Usage, plain_http_is_refused) {
  const Outcome done = casemate({"attest", "http://127.0.0.1:8000"});
  EXPECT_EQ(done.code, kRefused);
  EXPECT_TRUE(contains(done.err, "plain http is not protected"));
}

class Zoo : public testing::Test {
 protected:
  std::vector<uint8_t> content(const std::string& path) {
    return client::read_file(path, 1 << 20).value_or(std::vector<uint8_t>{});
  }
  size_t files() {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path("")), {}));
  }

  TestFolder folder_;
  std::string path_ = folder_.path("m.onnx");
};

TEST_F(Zoo, lists_what_there_is_with_parameters_operations_and_inputs) {
  const Outcome done = casemate({"zoo"});
  EXPECT_EQ(done.code, kDone);
  EXPECT_EQ(lines(done.out), 1u + 17u + 2u) << done.out;
  EXPECT_TRUE(contains(done.out,
                       "\nresnet-50      25,557,032        4.09 G  102.5 MB  input float "
                       "[batch,3,224,224]\n"))
      << done.out;
  EXPECT_TRUE(contains(done.out, "input_ids, attention_mask, token_type_ids int64 "));
  EXPECT_TRUE(contains(done.out, "past_key_values.0.key to past_key_values.11.value float "));
}

TEST_F(Zoo, the_list_as_json_has_the_same) {
  const json list = json::parse(casemate({"zoo", "--json"}).out);
  ASSERT_EQ(list.size(), 17u);
  EXPECT_EQ(list[0]["name"], "lenet-5");
  EXPECT_EQ(list[0]["parameters"], 61706);
  EXPECT_EQ(list[0]["multiply_adds"], 416520);
  EXPECT_EQ(list[0]["inputs"][0]["shape"], "[batch,1,32,32]");
}

TEST_F(Zoo, writes_a_model_and_says_what_it_wrote) {
  const Outcome done = casemate({"zoo", "lenet-5", "-o", path_, "--seed", "7"});
  EXPECT_EQ(done.code, kDone) << done.err;
  const size_t size = content(path_).size();
  EXPECT_GT(size, 4u * 61706u);
  EXPECT_TRUE(done.out.starts_with(path_ + ": 61,706 parameters, seed 7, ")) << done.out;
  const json facts =
      json::parse(casemate({"zoo", "lenet-5", "--output", path_, "--seed", "7", "--json"}).out);
  EXPECT_EQ(facts["file_bytes"], size);
  EXPECT_EQ(facts["seed"], 7);
}

TEST_F(Zoo, the_seed_decides_the_bytes_and_is_one_by_default) {
  const std::string other = folder_.path("other");
  EXPECT_EQ(casemate({"zoo", "lenet-5", "-o", path_}).code, kDone);
  EXPECT_EQ(casemate({"zoo", "lenet-5", "-o", other, "--seed", "1"}).code, kDone);
  EXPECT_EQ(content(path_), content(other));
  EXPECT_EQ(casemate({"zoo", "lenet-5", "-o", other, "--seed", "2"}).code, kDone);
  EXPECT_NE(content(path_), content(other));
}

TEST_F(Zoo, quantised_weights_are_bytes_where_an_architecture_has_that_form) {
  const Outcome done = casemate({"zoo", "lenet-5", "-o", path_, "--quantised", "qdq"});
  EXPECT_EQ(done.code, kDone) << done.err;
  EXPECT_LT(content(path_).size(), 2u * 61706u);
  const Outcome none = casemate({"zoo", "lenet-5", "-o", path_, "--quantised", "dynamic"});
  EXPECT_EQ(none.code, kRefused);
  EXPECT_TRUE(contains(none.err, "lenet-5 has no such quantised form")) << none.err;
}

TEST_F(Zoo, an_unknown_name_is_refused_with_those_that_there_are) {
  const Outcome done = casemate({"zoo", "resnet-34", "-o", path_});
  EXPECT_EQ(done.code, kRefused);
  EXPECT_EQ(lines(done.err), 1u);
  EXPECT_TRUE(contains(done.err, "no architecture 'resnet-34'; there are lenet-5, alexnet, "));
  EXPECT_TRUE(contains(done.err, ", gpt-2-small\n"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Zoo, a_path_that_cannot_be_written_is_named) {
  const Outcome nowhere = casemate({"zoo", "lenet-5", "-o", folder_.path("no/m.onnx")});
  EXPECT_EQ(nowhere.code, kPlatform);
  EXPECT_TRUE(contains(nowhere.err, "no/m.onnx: No such file or directory")) << nowhere.err;
  const Outcome folder = casemate({"zoo", "lenet-5", "-o", folder_.path(".")});
  EXPECT_EQ(folder.code, kRefused);
  EXPECT_TRUE(contains(folder.err, "is no regular file")) << folder.err;
  const Outcome empty = casemate({"zoo", "lenet-5", "-o", ""});
  EXPECT_EQ(empty.code, kRefused) << empty.err;
}

TEST_F(Zoo, a_file_that_is_there_is_replaced_at_once) {
  const std::vector<uint8_t> old = {1, 2, 3};
  folder_.file("m.onnx", old);
  const std::string twin = folder_.path("twin");
  ASSERT_EQ(::link(path_.c_str(), twin.c_str()), 0);
  EXPECT_EQ(casemate({"zoo", "lenet-5", "-o", path_}).code, kDone);
  EXPECT_GT(content(path_).size(), 1000u);
  EXPECT_EQ(content(twin), old) << "the old file was written into, not replaced";
}

TEST_F(Zoo, a_full_disk_leaves_the_old_file_and_nothing_else) {
  const std::vector<uint8_t> old = {1, 2, 3};
  folder_.file("m.onnx", old);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Outcome done = casemate({"zoo", "lenet-5", "-o", path_});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(done.code, kPlatform);
  EXPECT_EQ(lines(done.err), 1u) << done.err;
  EXPECT_EQ(content(path_), old);
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace casemate::cli
