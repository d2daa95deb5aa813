#pragma once

// Runs the weir command as a user does: a process with arguments, whose output, errors and exit code are
// looked at.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/tiff_helpers.hpp"

namespace weir::command_test {

using test::Bytes;
using test::contains;
using test::file_bytes;
using test::TemporaryFolder;

inline std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// How a command ended.
struct Ended {
  int code = -1;  ///< exit code; 1000 + n where signal n killed it
  std::string out, err;
  double seconds = 0;  ///< since the last signal that was sent, or since the start
};

/// A program that is running. Its output goes to files, so that nothing waits for anyone to read it.
class Program {
 public:
  /// argv[0] is a path. `out`: where standard output goes instead of a file; closed here.
  explicit Program(std::vector<std::string> argv, int out = -1) {
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    const int out_file =
        out >= 0 ? out : ::open((folder_ / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const int err_file = ::open((folder_ / "err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(out_file >= 0);
    REQUIRE(err_file >= 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      // A child of a threaded process: system calls only.
      ::dup2(out_file, 1);
      ::dup2(err_file, 2);
      ::signal(SIGPIPE, SIG_DFL);
      ::execv(words[0], words.data());
      ::_exit(127);
    }
    ::close(out_file);
    ::close(err_file);
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) {
    since_ = std::chrono::steady_clock::now();
    ::kill(pid_, signal);
  }
  std::string err_so_far() const { return text_of(folder_ / "err"); }
  bool is_running() {
    reap(WNOHANG);
    return pid_ > 0;
  }
  /// Waits until it has said `words` on its error stream; false where it ended before.
  bool waits_until_it_says(std::string_view words) {
    while (is_running()) {
      if (contains(err_so_far(), words)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  /// Waits until it has written to a file in that folder, with a name or without; false where it ended
  /// before.
  bool waits_until_it_writes_in(const std::string& folder) {
    for (; is_running(); std::this_thread::sleep_for(std::chrono::milliseconds(2))) {
      std::error_code gone;  // it may close or end between any two steps
      for (const auto& file :
           std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fd", gone)) {
        const std::string name = std::filesystem::read_symlink(file.path(), gone);
        const std::uintmax_t size = std::filesystem::file_size(file.path(), gone);
        if (!gone && name.starts_with(folder) && size > 100'000) return true;
      }
    }
    return false;
  }
  /// Waits for its end; kills it after two minutes.
  Ended wait() {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (is_running() && std::chrono::steady_clock::now() < patience)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (is_running()) {
      ::kill(pid_, SIGKILL);
      reap(0);
      FAIL("the command did not end: " << err_so_far());
    }
    return {code_, text_of(folder_ / "out"), err_so_far(), seconds_};
  }

 private:
  void reap(int flags) {
    int status = 0;
    if (pid_ <= 0 || ::waitpid(pid_, &status, flags) != pid_) return;
    pid_ = -1;
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - since_).count();
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  TemporaryFolder folder_;
  pid_t pid_ = -1;
  int code_ = -1;
  double seconds_ = 0;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

inline std::vector<std::string> weir_words(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{std::string(WEIR_TEST_BIN) + "/weir"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

/// Runs `weir ARGUMENTS` to its end.
inline Ended weir(const std::vector<std::string>& arguments) {
  return Program(weir_words(arguments)).wait();
}

/// Runs another program, found on PATH, to its end; nothing where there is none.
inline std::optional<Ended> tool(const std::string& name, const std::vector<std::string>& arguments) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + name).c_str(), X_OK) != 0) continue;
    std::vector<std::string> words{folder + "/" + name};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return Program(std::move(words)).wait();
  }
  return std::nullopt;
}

/// Whether a failed command said one line, no more, and nothing on standard output.
inline bool says_one_line(const Ended& ended) {
  return lines_of(ended.err).size() == 1 && ended.err.starts_with("weir: ") && ended.out.empty();
}

/// The number of a field of a flat JSON object.
inline double json_number(const std::string& json, const std::string& field) {
  const std::size_t at = json.find("\"" + field + "\": ");
  REQUIRE_MESSAGE(at != std::string::npos, "no field " << field << " in " << json);
  return std::strtod(json.c_str() + at + field.size() + 4, nullptr);
}

/// The part of a report that is about one node.
inline std::string json_node(const std::string& json, const std::string& node) {
  const std::size_t begin = json.find("{\"name\": \"" + node + "\"");
  REQUIRE_MESSAGE(begin != std::string::npos, "no node " << node << " in " << json);
  return json.substr(begin, json.find('}', begin) - begin + 1);
}

/// Reads JSON as far as to say whether it is well-formed (RFC 8259), without a library.
class JsonCheck {
 public:
  static bool is_whole(const std::string& text) {
    JsonCheck check(text);
    return check.value() && (check.spaces(), check.at_ == text.size());
  }

 private:
  explicit JsonCheck(const std::string& text) : text_(text) {}
  void spaces() {
    while (at_ < text_.size() && std::strchr(" \t\r\n", text_[at_]) != nullptr) ++at_;
  }
  bool take(char c) {
    spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return false;
      if (text_[at_] == '\\') ++at_;
    }
    return at_++ < text_.size();
  }
  bool number() {
    char* end = nullptr;
    const double value = std::strtod(text_.c_str() + at_, &end);
    const auto after = static_cast<std::size_t>(end - text_.c_str());
    const bool is_one = after > at_ && value == value && std::strchr("-0123456789", text_[at_]) != nullptr;
    at_ = after;
    return is_one;
  }
  template <class Part>
  bool list(char close, Part part) {
    if (take(close)) return true;
    do {
      if (!part()) return false;
    } while (take(','));
    return take(close);
  }
  bool value() {
    spaces();
    if (at_ >= text_.size()) return false;
    for (const std::string_view word : {"true", "false", "null"})
      if (text_.compare(at_, word.size(), word) == 0) {
        at_ += word.size();
        return true;
      }
    if (text_[at_] == '"') return string();
    if (take('[')) return list(']', [this] { return value(); });
    if (take('{')) return list('}', [this] { return string() && take(':') && value(); });
    return number();
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

/// Makes a terrain as a file, so that tests have an input: tiles of 256, zstd.
inline void make_terrain(const std::string& path, const std::string& size) {
  const Ended made = weir({"convert", "terrain:" + size, path, "--compress", "zstd", "--quiet"});
  REQUIRE_MESSAGE(made.code == 0, made.err);
}

inline std::string data(const std::string& name) {
  return std::string(WEIR_TEST_DATA) + "/" + name;
}

}  // namespace weir::command_test
