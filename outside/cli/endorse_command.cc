// SPDX-License-Identifier: Apache-2.0
// casemate endorse: a driver's author says by signature which programs drive a kind of device.
#include <chrono>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/format.h"
#include "base/lockdown/lockdown.h"
#include "outside/cli/commands.h"
#include "outside/client/file.h"
#include "outside/keys/private_file.h"
#include "outside/launch/accelerators.h"
#include "outside/verify/driver/driver.h"
#include "outside/verify/jose/jose.h"

namespace casemate::cli {
namespace {

constexpr size_t kKeyBytes = 4096;
constexpr int64_t kSecondsPerDay = 24 * 3600;

struct EndorseFlags {
  std::string device;
  std::vector<std::string> programs;
  std::vector<std::string> measurements;
  std::string issuer;
  std::string key;
  std::string output;
  int64_t days = 365;
};

// That of the file, or a new one that is kept there.
Result<SigningKey> author_key(const std::string& path, Streams streams) {
  auto pem = keys::read_private_text(path, kKeyBytes);
  if (pem) {
    auto key = verify::signing_key_in_pem(text_of(*pem));
    clear_secret(*pem);
    if (!key) return Error{key.error().code, formatted("{}: {}", path, key.error().text)};
    return key;
  }
  if (pem.error().code != Code::kNotFound) return pem.error();
  SigningKey key = TRY(SigningKey::generate());
  std::string text = TRY(verify::signing_key_pem(key));
  const Status written = keys::write_private_file(path, bytes_of(std::string_view(text)));
  clear_secret({static_cast<uint8_t*>(static_cast<void*>(text.data())), text.size()});
  TRY(written);
  streams.out << formatted("made {}: whoever has it can endorse drivers in your name\n", path);
  return key;
}

// As the monitor measures it where it is started from here, with its loader and libraries, and what
// its device's own driver needs.
Result<Sha384Digest> measure_program(const launch::Accelerator& device, const std::string& path) {
  std::error_code wrong;
  const auto file = std::filesystem::canonical(path, wrong);
  if (wrong) return Error{Code::kNotFound, formatted("--program {}: there is no such file", path)};
  const std::string target = formatted("/bin/{}", file.filename().string());
  return launch::measurement_of(TRY(launch::placed_device_program(device, file.string(), target)));
}

Result<std::vector<Sha384Digest>> programs_of(const launch::Accelerator& device,
                                              const EndorseFlags& flags) {
  std::vector<Sha384Digest> programs;
  for (const std::string& path : flags.programs)
    programs.push_back(TRY(measure_program(device, path)));
  for (const std::string& text : flags.measurements) {
    const auto bytes = from_hex(text);
    if (!bytes || bytes->size() != sizeof(Sha384Digest)) {
      return Error{Code::kInvalid,
                   formatted("--measurement {}: should be 96 hexadecimal digits, such as "
                             "\"program\" in what casemate attest URL --model NAME --json prints",
                             text)};
    }
    programs.push_back(load<Sha384Digest>(*bytes));
  }
  if (!programs.empty()) return programs;
  return Error{Code::kInvalid,
               "nothing to endorse: name programs with --program FILE or --measurement HEX"};
}

Status endorse(const EndorseFlags& flags, Streams streams) {
  TRY(lockdown::make_undumpable());
  const launch::Accelerator* device = launch::find_accelerator(flags.device);
  if (device == nullptr) {
    return Error{Code::kInvalid,
                 formatted("--device {}: is no kind of accelerator; name npu or opencl, without a "
                           "number",
                           flags.device)};
  }
  verify::driver::Endorsement said{.issuer = flags.issuer,
                                   .issued_unix = system_clock().unix_seconds(),
                                   .device = flags.device,
                                   .programs = TRY(programs_of(*device, flags))};
  said.expires_unix = said.issued_unix + flags.days * kSecondsPerDay;
  const SigningKey key = TRY(author_key(flags.key, streams));
  const std::string text = TRY(verify::driver::endorse(said, key));
  TRY(client::write_file(flags.output, bytes_of(std::string_view(text))));
  const std::chrono::sys_seconds until{std::chrono::seconds(said.expires_unix)};
  streams.out << formatted(
      "wrote {}: '{}' endorses {} program{} for {} until {:%FT%TZ}\n"
      "operators show it with casemate serve --device-evidence {}:0={}\n"
      "policies name the key: \"drivers\": {{\"keys\": [\"{}\"], \"required\": true}}\n",
      flags.output, said.issuer, said.programs.size(), said.programs.size() == 1 ? "" : "s",
      said.device, until, said.device, flags.output, to_hex(sha384(key.public_der())));
  for (const Sha384Digest& program : said.programs)
    streams.out << formatted("  program {}\n", to_hex(program));
  return {};
}

}  // namespace

Run add_endorse(CLI::App& app) {
  const auto flags = std::make_shared<EndorseFlags>();
  app.add_option("--device", flags->device, "the kind of device that they drive, such as npu")
      ->type_name("KIND")
      ->required();
  app.add_option("--program", flags->programs,
                 "a program that drives it, measured as this machine would start it; repeat it")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app.add_option("--measurement", flags->measurements,
                 "a program by its measurement, of another machine; repeat it")
      ->type_name("HEX")
      ->allow_extra_args(false);
  app.add_option("--issuer", flags->issuer, "who you are, for people to read")
      ->type_name("NAME")
      ->required();
  app.add_option("--days", flags->days, "how long it is valid")
      ->type_name("N")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  app.add_option("--key", flags->key, "your private key, PEM; made if it is not there")
      ->type_name("FILE")
      ->required();
  app.add_option("-o,--output", flags->output, "the endorsement")->type_name("FILE")->required();
  return [flags](Streams streams) {
    const Status done = endorse(*flags, streams);
    return done ? kDone : fail(done.error(), streams);
  };
}

}  // namespace casemate::cli
