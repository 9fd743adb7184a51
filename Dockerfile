# The binary in an image of its own. There is no access control yet, so the server listens on loopback only: run it with
# the host's network, e.g. `docker run --network host -v drydock:/var/lib/drydock drydock`.

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin drydock

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10009 --create-home --home-dir /var/lib/drydock drydock
COPY --from=build /src/target/release/drydock /usr/local/bin/drydock
USER drydock
# Without a configuration file the SQLite database is made here.
WORKDIR /var/lib/drydock
VOLUME /var/lib/drydock
EXPOSE 9000
ENTRYPOINT ["drydock"]
CMD ["serve"]
