# One static-enough binary on a slim base, run by an ordinary user. ffmpeg is for
# video and audio (docs/media.md); without it the rest works.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package warest

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home warest
COPY --from=build /src/target/release/warest /usr/local/bin/warest
USER warest
VOLUME /data
ENV WAREST_DATA_DIR=/data HOST=0.0.0.0 PORT=7308
EXPOSE 7308
HEALTHCHECK --interval=30s --timeout=3s CMD ["warest", "health"]
ENTRYPOINT ["warest"]
CMD ["serve"]
