FROM rust:1.95-slim-bookworm AS builder
WORKDIR /weir
COPY . .
RUN cargo build --release --locked --bin weir

FROM debian:bookworm-slim
RUN useradd --system --user-group --no-create-home --shell /usr/sbin/nologin weir
COPY --from=builder /weir/target/release/weir /usr/local/bin/weir
USER weir
# SIGTERM drains: exchanges in flight are finished before the process ends.
STOPSIGNAL SIGTERM
ENTRYPOINT ["weir"]
CMD ["run", "-c", "/etc/weir/weir.toml"]
