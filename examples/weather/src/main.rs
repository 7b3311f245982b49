//! `WEATHER_KEY=.. cargo run -- https://weather.example.com/v1/ lisbon`

use std::error::Error;

use standpipe_example_weather::{WeatherClient, pool};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(base), Some(place)) = (arguments.next(), arguments.next()) else {
        return Err("usage: weather BASE_URL PLACE".into());
    };
    let key = std::env::var("WEATHER_KEY")?;
    let client = WeatherClient::new(pool().build()?, base, &key)?;
    let report = client.at(&place).await?;
    println!(
        "{place}: {} °C, {}",
        report.weather.celsius, report.weather.sky
    );
    Ok(())
}
