#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/board.h"
#include "api/text.h"
#include "net/http.h"

// The status page: a window that commands nothing. HTML is made from values here, and every text
// that came from outside is escaped on its way in; src/api/window.cc answers the requests.

namespace tenbin::page {

/// The session's cookie: the token itself, which the browser shows to no script. Taken for GET of
/// the page and of /v1/events, and for nothing else.
inline constexpr std::string_view cookie_name = "tenbin_token";
/// The token in a Cookie header, if there is one.
std::optional<std::string> token_in(std::string_view cookies);
/// `secure`: it may travel in TLS only. A `lasts` of zero takes the cookie away.
std::string set_cookie(std::string_view token, Span lasts, bool secure);

/// Whether a form may have been sent by our own page, and not by that of somebody else.
bool from_our_page(const net::Request& request);

/// "&<>\"'" so that they are text, wherever they stand.
std::string escaped(std::string_view text);

/// Signed in: all of it, and the part of it that is fetched again when something has happened.
std::string whole(const Board& board, Instant now, bool healthy, Language language);
std::string part(const Board& board, Language language);
/// Not signed in: a form. `refused`: because this token was not taken.
std::string sign_in_form(bool healthy, bool refused, Language language);

/// With what keeps a browser from running, framing or keeping anything that is not ours.
net::Response respond(std::string html, int status = 200);

}  // namespace tenbin::page
