// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/store_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>

#include "base/fd.h"
#include "base/format.h"
#include "outside/keys/clearing.h"
#include "outside/keys/private_file.h"

namespace casemate::keys {
namespace {

// Through these SQLite writes into the database what others have put there.
constexpr std::string_view kBeside[] = {"-journal", "-wal", "-shm"};

Result<std::string> place_in_folder(const std::string& path) {
  const std::filesystem::path given(path);
  if (!given.has_filename())
    return Error{Code::kInvalid, formatted("'{}' names no file for a key store", path)};
  std::error_code error;
  const auto folder =
      std::filesystem::canonical(given.has_parent_path() ? given.parent_path() : ".", error);
  struct stat facts{};
  if (error || ::stat(folder.c_str(), &facts) != 0) {
    return Error{Code::kNotFound, formatted("{}: its folder cannot be looked at ({}); make it, or "
                                            "name another",
                                            path, error ? error.message() : std::strerror(errno))};
  }
  const bool ours = facts.st_uid == ::geteuid();
  const bool others_write = (facts.st_mode & 022) != 0 && !(ours && (facts.st_mode & S_ISVTX) != 0);
  if ((ours || facts.st_uid == 0) && !others_write) return (folder / given.filename()).string();
  return Error{Code::kDenied,
               formatted("{}: others may write to the folder of the key store, and exchange it; "
                         "chmod go-w it, or keep the store in a folder of yours",
                         folder.string())};
}

// Nothing where there is no file.
Result<std::optional<uint64_t>> bytes_there(const std::string& path) {
  const auto bytes = private_file_bytes(path);
  if (bytes) return std::optional(*bytes);
  if (bytes.error().code == Code::kNotFound) return std::optional<uint64_t>();
  return bytes.error();
}

Status make_empty(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.valid() || errno == EEXIST) return {};
  return errno_error(formatted("making the key store {}", path));
}

Result<SecretKey> key_in(const std::string& path) {
  auto content = TRY(read_private_file(path, sizeof(SecretKey)));
  const Clearing clearing(content);
  return load<SecretKey>(content);
}

Result<SecretKey> make_key(const std::string& path, Random& random) {
  SecretKey key;
  const Clearing clearing(key);
  random.fill(key);
  const Status written = write_private_file(path, key);
  if (!written && written.error().code != Code::kDenied) return written.error();
  // Whoever was first has made it.
  return key_in(path);
}

}  // namespace

Error no_store(const std::string& path) {
  return {Code::kNotFound,
          formatted("{}: no key store is there; name the one that casemate seal was given", path)};
}

StoreFiles::~StoreFiles() { clear_secret(key_); }

Result<StoreFiles> StoreFiles::open(const std::string& path, Random& random, bool make) {
  StoreFiles files;
  files.path_ = TRY(place_in_folder(path));
  const std::string key = files.path_ + ".key";
  auto database = TRY(bytes_there(files.path_));
  const bool key_there = TRY(bytes_there(key)).has_value();
  // Somebody may have made both between the two looks.
  if (!database && key_there) database = TRY(bytes_there(files.path_));
  for (const std::string_view suffix : kBeside)
    TRY(bytes_there(formatted("{}{}", files.path_, suffix)));
  if (!database && key_there) {
    return Error{Code::kNotFound, formatted("{}: the key store is not there, and its key {} is; "
                                            "put the store back, or move that key away to begin "
                                            "another store",
                                            files.path_, key)};
  }
  if (database && *database != 0 && !key_there) {
    return Error{Code::kNotFound, formatted("{}: the key of the key store is not there, and "
                                            "without it nothing in the store opens; put it back",
                                            key)};
  }
  if (!key_there && !make) return no_store(path);
  // In this order: whoever is killed between the two leaves an empty database, which can be made
  // into a store, and never a key alone, which looks as if a store had been lost.
  if (!database) TRY(make_empty(files.path_));
  files.key_ = key_there ? TRY(key_in(key)) : TRY(make_key(key, random));
  return files;
}

}  // namespace casemate::keys
