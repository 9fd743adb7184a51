//! Pages of lists: `limit`, `marker`, `sort`, and the link to the next page.

use std::fmt::Display;

use actix_web::HttpRequest;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::ApiError;
use crate::query::Query;

/// Which part of a list is wanted. Without parameters: all of it.
pub(crate) struct Page<'a> {
    /// At most so many members, at least 1.
    pub(crate) limit: Option<usize>,
    /// Begin behind this member.
    pub(crate) marker: Option<&'a str>,
    /// The other way round.
    pub(crate) descending: bool,
    /// Whether an order was asked for.
    pub(crate) sorted: bool,
}

impl<'a> Page<'a> {
    /// The query parameters of a page, beside the filters of a list.
    pub(crate) const PARAMETERS: [&'static str; 3] = ["limit", "marker", "sort"];

    /// Reads them; `by` is the one thing that the list can be sorted by.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(crate) fn new(query: &'a Query, by: &str) -> Result<Self, ApiError> {
        let limit: Option<usize> = query.value("limit")?;
        if limit == Some(0) {
            return Err(ApiError::bad_request(
                "query parameter limit=0: a page has at least one member",
            ));
        }
        let sort = query.text("sort");
        let descending = match sort {
            None => false,
            Some(word) if word == by => false,
            Some(word) if word.strip_prefix('-') == Some(by) => true,
            Some(word) => {
                return Err(ApiError::bad_request(format!(
                    "query parameter sort={word}: this list is sorted by {by} or -{by}"
                )));
            }
        };
        Ok(Page {
            limit,
            marker: query.text("marker"),
            descending,
            sorted: sort.is_some(),
        })
    }

    /// Whether the whole list is wanted, as it is.
    pub(crate) fn is_whole(&self) -> bool {
        self.limit.is_none() && self.marker.is_none() && !self.sorted
    }

    /// Cuts a list, that begins behind the marker already, to the limit. The key of the last member that is left, when others follow it.
    pub(crate) fn cut<T, K: Display>(
        &self,
        members: &mut Vec<T>,
        key: impl Fn(&T) -> K,
    ) -> Option<String> {
        let limit = self.limit.filter(|limit| *limit < members.len())?;
        members.truncate(limit);
        members.last().map(|last| key(last).to_string())
    }

    /// The `Link` header that leads to what follows `marker`: the same request with another marker.
    pub(crate) fn link(
        request: &HttpRequest,
        query: &Query,
        marker: &str,
    ) -> (&'static str, String) {
        let parameters: Vec<String> = query
            .pairs()
            .filter(|(name, _)| *name != "marker")
            .chain([("marker", marker)])
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        (
            "Link",
            format!(
                "<{}?{}>; rel=\"next\"",
                request.path(),
                parameters.join("&")
            ),
        )
    }
}
