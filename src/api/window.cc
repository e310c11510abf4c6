#include <algorithm>

#include "api/api.h"
#include "api/embedded.h"
#include "api/page.h"
#include "codec/hash.h"

// The requests of the status page: the page, its files, sign-in and sign-out.

namespace tenbin {

namespace {

/// Of bytes: the same bytes, the same tag.
std::string tag_of(std::string_view bytes) {
  return "\"" + to_hex(hash_of(bytes)).substr(0, 24) + "\"";
}

constexpr Span commit_late{10'000};  // of a journal that cannot be written

struct Asset {
  std::string_view path, type, bytes;
};
std::optional<Asset> asset_of(std::string_view path) {
  if (path == "/page.css") return Asset{path, "text/css; charset=utf-8", page_css()};
  if (path == "/page.js") return Asset{path, "text/javascript; charset=utf-8", page_js()};
  if (path == "/icon.svg") return Asset{path, "image/svg+xml", icon_svg()};
  return std::nullopt;
}

net::Response respond(const Asset& asset, const net::Request& request) {
  const std::string tag = tag_of(asset.bytes);
  net::Response response{.headers = {{"ETag", tag},
                                     {"Cache-Control", "no-cache"},
                                     {"X-Content-Type-Options", "nosniff"},
                                     {"Cross-Origin-Resource-Policy", "same-origin"}}};
  if (names_tag(request.header("If-None-Match"), tag)) {
    response.status = 304;
  } else {
    response.content_type = asset.type;
    response.body = asset.bytes;
  }
  return response;
}

Language page_language(const net::Request& request, const net::Parameters& query) {
  if (const std::string* asked = net::find_parameter(query, "lang")) {
    if (*asked == "ja") return Language::japanese;
    if (*asked == "en") return Language::english;
  }
  return language_of(request.header("Accept-Language"));
}

/// To the page, after a form.
net::Response back(Language language, std::string cookie) {
  net::Response response = page::respond("", 303);
  response.content_type.clear();
  response.headers.emplace_back("Location",
                                language == Language::japanese ? "/?lang=ja" : "/?lang=en");
  if (!cookie.empty()) response.headers.emplace_back("Set-Cookie", std::move(cookie));
  return response;
}

}  // namespace

bool Api::window(net::Request& request, net::Reply& reply, const std::vector<std::string>& path,
                 const net::Parameters& query) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  const bool post = request.method == "POST";
  const std::string_view name = path.empty()       ? std::string_view("")
                                : path.size() == 1 ? std::string_view(path[0])
                                                   : std::string_view("/");
  const bool form = name == "sign-in" || name == "sign-out";
  const auto asset = asset_of(request.path);
  if (!name.empty() && name != "board" && !form && !asset) return false;

  const Language language = page_language(request, query);
  if (form && get) {  // a page that was refused is asked for again
    reply(back(language, {}));
    return true;
  }
  if (form ? !post : !get) {
    const std::string allowed = form ? "POST" : "GET, HEAD";
    net::Response response =
        problem(Complaint{405, "method_not_allowed", "this address takes " + allowed,
                          "このアドレスで使えるのは " + allowed + " です"},
                language);
    response.headers.emplace_back("Allow", allowed);
    reply(std::move(response));
    return true;
  }
  if (asset) {
    reply(respond(*asset, request));
    return true;
  }
  if (form) {
    if (!page::from_our_page(request)) {
      reply(problem(Complaint{403, "not_permitted", "this form was sent by another site's page",
                              "このフォームは別のサイトのページから送信されました"},
                    language));
    } else if (name == "sign-out") {
      reply(back(language, page::set_cookie("", {}, secure_)));
    } else {
      sign_in(request, reply, language);
    }
    return true;
  }
  show(request, std::move(reply), language, name == "board");
  return true;
}

void Api::sign_in(const net::Request& request, net::Reply& reply, Language language) {
  std::string token;
  if (const auto fields = net::query_parameters(request.body)) {
    if (const std::string* given = net::find_parameter(*fields, "token")) token = *given;
  }
  // As it is pasted.
  std::erase_if(token, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  const Hash hash = hash_of(token);
  std::optional<Span> lasts;
  live_.read([&](const World& world) {
    if (token.empty() || !caller_of(world, hash, language)) return;
    lasts = world.tokens.at(world.index.tokens.find(hash)->second).expires - live_.now();
  });
  if (!lasts) return reply(page::respond(page::sign_in_form(true, true, language), 403));
  reply(back(language, page::set_cookie(token, *lasts, secure_)));
}

void Api::show(const net::Request& request, net::Reply to, Language language, bool part) {
  // The page takes what a program would send, too.
  Hash token = token_hash(request);
  if (!token) {
    if (const auto cookie = page::token_in(request.header("Cookie"))) token = hash_of(*cookie);
  }
  slowly([this, answer = std::make_shared<net::Reply>(std::move(to)), token, language, part,
          known = std::string(request.header("If-None-Match"))] {
    net::Reply& reply = *answer;
    const bool healthy = live_.figures().committing < commit_late;
    const auto board = live_.read([&](const World& world) -> std::optional<Board> {
      const auto caller = caller_of(world, token, language);
      if (!caller) return std::nullopt;
      return look(world, caller->person);
    });
    if (!board) {
      if (part) return reply(page::respond("", 401));
      return reply(page::respond(page::sign_in_form(healthy, false, language)));
    }
    if (!part) return reply(page::respond(page::whole(*board, live_.now(), healthy, language)));
    std::string html = page::part(*board, language);
    const std::string tag = tag_of(html);
    const bool same = names_tag(known, tag);
    net::Response response =
        page::respond(same ? std::string() : std::move(html), same ? 304 : 200);
    if (same) response.content_type.clear();
    response.headers.emplace_back("ETag", tag);
    reply(std::move(response));
  });
}

}  // namespace tenbin
