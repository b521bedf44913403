mod clients;
mod loading;
mod offer;
mod sessions;
