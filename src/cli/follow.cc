#include "cli/follow.h"

#include <algorithm>
#include <vector>

#include "cli/answers.h"
#include "cli/job_states.h"

namespace tenbin::cli {

namespace {

constexpr std::int64_t ranks_max = 256;
// With one stream a question waits at the service for long; with several each may have the next
// word, so none is waited for much.
constexpr std::int64_t wait_alone_ms = 30'000, wait_among_ms = 200;

struct Stream {
  std::int64_t rank = 0;
  std::string name;  // stdout, stderr
  std::int64_t offset = 0;
  std::string line;  // begun and not yet ended
};

class Follower {
 public:
  Follower(Context& context, Service& service, const std::string& id, const OutputWanted& wanted)
      : context_(context), service_(service), id_(id), wanted_(wanted) {}

  Outcome<void> run() {
    std::int64_t attempt = 0;
    for (;;) {
      const auto job = service_.get(path("/v1/jobs/", id_));
      if (!job) return std::unexpected(job.error());
      // The state first: what is read after it was all.
      const bool over = is_over(job->json["state"].text().value_or(""));
      const std::int64_t now = job->json["attempt"].integer().value_or(0);
      if (now != attempt) {
        if (attempt > 0) context_.note(context_.say(Phrase::new_attempt, id_, now));
        attempt = now;
        begin(job->json["members"].integer().value_or(1));
      }
      if (attempt == 0 && over) return {};
      if (attempt == 0) {
        // Waits for its start: what comes first is asked for again when the members are known.
        Query query;
        query.add("wait_ms", std::to_string(wait_alone_ms));
        const auto answer = service_.get(path("/v1/jobs/", id_, "/output") + query.text(),
                                         Span{wait_alone_ms + 30'000});
        if (!answer && answer.error().exit != Exit::not_found)
          return std::unexpected(answer.error());
        if (!answer || answer->body.empty()) context_.around.sleep(Span{100});
        continue;
      }
      const std::string which = wanted_.attempt.empty() ? std::to_string(attempt) : wanted_.attempt;
      bool any = false;
      for (Stream& stream : streams_) {
        for (bool more = true; more; any = any || more) {
          const auto told = ask(stream, which, 0);
          if (!told) return std::unexpected(told.error());
          more = *told;
        }
      }
      if (over) {
        for (Stream& stream : streams_) end_line(stream);
        return {};
      }
      if (any) {
        context_.around.sleep(Span{0});  // what was printed is shown
        continue;
      }
      const auto told = ask(streams_[asked_++ % streams_.size()], which,
                            streams_.size() == 1 ? wait_alone_ms : wait_among_ms);
      if (!told) return std::unexpected(told.error());
      // A service that does not wait must not be asked all the time.
      context_.around.sleep(Span{*told ? 0 : streams_.size() == 1 ? 50 : 100});
    }
  }

 private:
  void begin(std::int64_t members) {
    for (Stream& stream : streams_) end_line(stream);
    streams_.clear();
    const std::int64_t ranks = std::clamp<std::int64_t>(members, 1, ranks_max);
    for (std::int64_t rank = 0; rank < ranks; ++rank) {
      if (!wanted_.rank.empty() && std::to_string(rank) != wanted_.rank) continue;
      for (const char* name : {"stdout", "stderr"}) {
        if (wanted_.stream.empty() || wanted_.stream == name)
          streams_.push_back({.rank = rank, .name = name, .line = {}});
      }
    }
    if (streams_.empty())  // a rank that is not there: the service says so, or it has no output
      streams_.push_back(
          {.rank = parse_decimal(wanted_.rank, 0).value_or(0), .name = "stdout", .line = {}});
    prefixed_ = members > 1 && wanted_.rank.empty();
  }

  // Whether there was more.
  Outcome<bool> ask(Stream& stream, const std::string& attempt, std::int64_t wait_ms) {
    Query query;
    query.add("rank", std::to_string(stream.rank)).add("stream", stream.name);
    query.add("attempt", attempt).add("offset", std::to_string(stream.offset));
    if (wait_ms > 0) query.add("wait_ms", std::to_string(wait_ms));
    const auto answer =
        service_.get(path("/v1/jobs/", id_, "/output") + query.text(), Span{wait_ms + 30'000});
    if (!answer) {
      // Between its start and its first byte a job has no output to be found.
      if (answer.error().exit == Exit::not_found) return false;
      return std::unexpected(answer.error());
    }
    if (answer->body.empty()) return false;
    const std::int64_t next = stream.offset + static_cast<std::int64_t>(answer->body.size());
    stream.offset = parse_decimal(answer->next_offset, 0).value_or(next);
    print(stream, answer->body);
    return true;
  }

  void print(Stream& stream, std::string_view bytes) {
    if (!prefixed_) return write(stream, bytes);
    stream.line += bytes;
    std::string ready;
    for (std::size_t end = 0; (end = stream.line.find('\n')) != std::string::npos;) {
      ready += "[" + std::to_string(stream.rank) + "] " + stream.line.substr(0, end + 1);
      stream.line.erase(0, end + 1);
    }
    if (!ready.empty()) write(stream, ready);
  }

  void end_line(Stream& stream) {
    if (stream.line.empty()) return;
    write(stream, "[" + std::to_string(stream.rank) + "] " + stream.line + "\n");
    stream.line.clear();
  }

  void write(const Stream& stream, std::string_view bytes) {
    if (stream.name == "stderr" && wanted_.stream.empty())
      context_.around.err(bytes);
    else
      context_.print(bytes);
  }

  Context& context_;
  Service& service_;
  const std::string& id_;
  const OutputWanted& wanted_;
  std::vector<Stream> streams_;
  std::size_t asked_ = 0;
  bool prefixed_ = false;
};

}  // namespace

Outcome<void> follow_output(Context& context, Service& service, const std::string& id,
                            const OutputWanted& wanted) {
  return Follower(context, service, id, wanted).run();
}

}  // namespace tenbin::cli
