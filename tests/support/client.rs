use super::message::Framing;
use super::{Broken, Fields, PATIENCE, Wire};
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};

/// A client with one connection.
pub struct Client(Wire);

impl Deref for Client {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.0
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        Client(Wire::new(TcpStream::connect_timeout(&address, PATIENCE).unwrap()))
    }

    pub fn over(wire: Wire) -> Client {
        Client(wire)
    }

    pub fn into_wire(self) -> Wire {
        self.0
    }

    pub fn get(&mut self, target: &str) -> Ask<'_> {
        self.ask("GET", target)
    }

    pub fn post(&mut self, target: &str, body: &str) -> Ask<'_> {
        let mut ask = self.ask("POST", target);
        ask.body = Some(body.to_owned());
        ask
    }

    /// A request; it goes out when it is known what the client [sees](Ask::sees).
    pub fn ask(&mut self, method: &str, target: &str) -> Ask<'_> {
        Ask {
            client: self,
            method: method.to_owned(),
            target: target.to_owned(),
            host: "test.example".to_owned(),
            fields: Vec::new(),
            body: None,
        }
    }

    /// The next response, to a request sent before.
    pub fn sees(&mut self, status: u16) -> Response {
        self.sees_to("GET", status)
    }

    /// The next response, to a request of that method.
    pub fn sees_to(&mut self, method: &str, status: u16) -> Response {
        self.response(method).unwrap_or_else(|broken| panic!("wanted {status}, but {broken:?}")).is(status)
    }

    /// The next head, whose content is yet to come or does not interest.
    pub fn sees_head(&mut self, status: u16) -> Response {
        self.any_head().unwrap_or_else(|broken| panic!("wanted {status}, but {broken:?}")).is(status)
    }

    /// An interim response.
    pub fn sees_interim(&mut self, status: u16) -> Response {
        self.sees_head(status)
    }

    /// A response that began and is broken off: short or reset, and never taken for complete.
    pub fn sees_broken(&mut self) {
        match self.response("GET") {
            Err(Broken::Short | Broken::Reset) => {}
            other => panic!("wanted a broken response, but {other:?}"),
        }
    }

    /// What is left of the content breaks off, short or by a reset.
    pub fn content_breaks(&mut self) -> bool {
        matches!(self.exactly(usize::MAX), Err(Broken::Short | Broken::Reset))
    }

    /// The next final response; interim ones are kept in it.
    pub fn response(&mut self, method: &str) -> Result<Response, Broken> {
        let mut interim = Vec::new();
        let mut head = self.any_head()?;
        while (100..200).contains(&head.status) && head.status != 101 {
            interim.push(head);
            head = self.any_head()?;
        }
        let framing = framing(method, &head)?;
        (head.body, head.trailers) = self.content(framing)?;
        head.interim = interim;
        Ok(head)
    }

    fn any_head(&mut self) -> Result<Response, Broken> {
        let (line, fields) = self.head()?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.filter(|_| line.as_bytes().get(12) == Some(&b' '));
        let status = status.ok_or_else(|| Broken::Malformed(format!("status line {line:?}")))?;
        Ok(Response { status, fields, ..Response::default() })
    }
}

/// RFC 9112 §6.3
fn framing(method: &str, head: &Response) -> Result<Framing, Broken> {
    let stated = Framing::of(&head.fields)?;
    let chunked = stated == Some(Framing::Chunked);
    match head.status {
        101 | 204 if stated.is_some() => Err(Broken::Malformed("framing where there is no content".to_owned())),
        304 if chunked => Err(Broken::Malformed("chunks in a 304".to_owned())),
        101 | 204 | 304 => Ok(Framing::None),
        _ if method == "HEAD" => Ok(Framing::None),
        _ => Ok(stated.unwrap_or(Framing::Close)),
    }
}

/// A request in the making.
#[must_use]
pub struct Ask<'c> {
    client: &'c mut Client,
    method: String,
    target: String,
    host: String,
    fields: Vec<(String, String)>,
    body: Option<String>,
}

impl Ask<'_> {
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn content(mut self, content: &str) -> Self {
        self.body = Some(content.to_owned());
        self
    }

    /// Sends it, without waiting for an answer.
    pub fn sent(self) {
        let Ask { client, method, target, host, fields, body } = self;
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in fields {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &body {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += &body.unwrap_or_default();
        client.send(text);
    }

    /// Sends it, and reads whatever comes.
    pub fn gets(mut self) -> Result<Response, Broken> {
        let method = std::mem::take(&mut self.method);
        let Ask { client, target, host, fields, body, .. } = self;
        let ask = Ask { client: &mut *client, method: method.clone(), target, host, fields, body };
        ask.sent();
        client.response(&method)
    }

    /// Sends it, and reads the response, which has that status.
    pub fn sees(self, status: u16) -> Response {
        self.gets().unwrap_or_else(|broken| panic!("wanted {status}, but {broken:?}")).is(status)
    }
}

/// What a client got.
#[derive(Clone, Debug, Default)]
pub struct Response {
    pub status: u16,
    pub fields: Fields,
    pub body: Vec<u8>,
    pub trailers: Fields,
    pub interim: Vec<Response>,
}

impl Response {
    fn is(self, status: u16) -> Response {
        assert_eq!(self.status, status, "{self:?}\n{}", self.text());
        self
    }

    /// The field has that value.
    pub fn field(self, name: &str, value: &str) -> Response {
        assert_eq!(self.fields.get(name).as_deref(), Some(value), "{name} in {self:?}");
        self
    }

    /// There is no such field.
    pub fn lacks(self, name: &str) -> Response {
        assert!(!self.fields.has(name), "{name} in {self:?}");
        self
    }

    /// The value of a field that is there.
    pub fn value(&self, name: &str) -> String {
        self.fields.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The content is that.
    pub fn body(self, body: &str) -> Response {
        assert_eq!(self.text(), body, "{self:?}");
        self
    }

    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The trailer field has that value.
    pub fn trailer(self, name: &str, value: &str) -> Response {
        assert_eq!(self.trailers.get(name).as_deref(), Some(value), "{name} in {self:?}");
        self
    }
}
