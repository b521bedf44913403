use super::Rate;
use std::time::Duration;

/// `[waiting_room.NAME]`: where visitors wait while there is no room for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRoom {
    /// Its name, of letters, digits, `-` and `_`: cookies show it.
    pub name: String,
    /// `active`: visitors inside at once.
    pub active: Option<u32>,
    /// `enter`: visitors let in over time.
    pub enter: Option<Rate>,
    /// `session`: who asks for nothing for so long is no longer inside.
    pub session: Duration,
    /// `absence`: who has not asked for so long when it is his turn is passed over.
    pub absence: Duration,
    /// `places`: visitors who may wait.
    pub places: u32,
    /// `bind`
    pub bind: Bind,
    /// `page`: what is shown in place of our own page.
    pub page: Option<String>,
}

/// `bind`: what makes a client another one, whose tickets are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Its address and its User-Agent.
    Client,
    /// Its User-Agent alone.
    Agent,
}

/// Index into [`Config::waiting_rooms`](super::Config::waiting_rooms).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaitingRoomId(pub usize);
