#include "cli/watch.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tenbin::cli {

namespace {

// Over what stood there before, without a blink; what does not fit the screen is left out.
std::string screen(const Context& context, std::string_view text) {
  const int rows = std::max(context.around.out_rows, 5) - 2;
  std::string out = "\x1b[H";
  int row = 0;
  while (!text.empty() && row < rows) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += std::string(text.substr(0, end)) + "\x1b[K\n";
    text.remove_prefix(std::min(end + 1, text.size()));
    ++row;
  }
  if (!text.empty()) {
    const auto left = std::ranges::count(text, '\n');
    out += context.say(Phrase::watch_cut, left) + "\x1b[K\n";
  }
  return out + "\x1b[J";
}

}  // namespace

Outcome<int> watched(const Context& context, const Interest& interest,
                     const std::function<Outcome<bool>(Context& to, Service& service)>& show) {
  const bool redraw = context.around.out_is_terminal && context.format == Format::table;
  std::string text, last;
  Surroundings paper = context.around;
  paper.out = [&](std::string_view more) { text += more; };
  if (context.format == Format::table) paper.err = paper.out;  // "nothing to show" is a state too
  Context inner(paper);
  inner.flags = context.flags;
  inner.look = context.look;
  inner.format = context.format;
  inner.patience = context.patience;
  inner.patience_asked = context.patience_asked;

  Context outer = context;
  Service service(outer);
  if (redraw) context.print("\x1b[2J");
  for (bool first = true;; first = false) {
    text.clear();
    const auto over = show(inner, service);
    if (!over) return std::unexpected(over.error());
    if (first || text != last) {
      const bool blank = !first && !redraw && context.format == Format::table;
      context.print(redraw ? screen(context, text) : (blank ? "\n" : "") + text);
      context.around.flush();
      last = text;
    }
    if (*over || (context.around.stopped && context.around.stopped())) return 0;
    if (auto told = watch_events(context, service, interest, Span{30'000}); !told)
      return std::unexpected(told.error());
  }
}

}  // namespace tenbin::cli
