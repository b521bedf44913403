//! WebSocket's opening handshake where HTTP/2 meets HTTP/1.1 (RFC 8441 §5, RFC 6455 §4).
