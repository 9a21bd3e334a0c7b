type Day = { day: string; high_c: number; low_c: number; rain_mm: number; condition: string };
type Forecast = { city: string; days: Day[] };
type Alert = Pick<Day, "day" | "rain_mm"> & { city: string };

const THRESHOLD_MM = 8;

export default async function checkRain(): Promise<Alert[]> {
  const { cities } = (await tools.weather.list_cities({})) as { cities: { name: string }[] };
  const alerts: Alert[] = [];
  for (const { name } of cities) {
    const forecast: Forecast = await tools.weather.get_forecast({ city: name, days: 5 });
    for (const day of forecast.days) {
      if (day.rain_mm >= THRESHOLD_MM) alerts.push({ city: forecast.city, day: day.day, rain_mm: day.rain_mm });
    }
  }
  return alerts.sort((a, b) => b.rain_mm - a.rain_mm);
}
// expect: [{"city":"Edinburgh","day":"today","rain_mm":10.7},{"city":"Lisbon","day":"+3","rain_mm":10.2},{"city":"Reykjavik","day":"+4","rain_mm":9.4},{"city":"Cairo","day":"tomorrow","rain_mm":9},{"city":"Nairobi","day":"+2","rain_mm":8.9},{"city":"Oslo","day":"+2","rain_mm":8.5},{"city":"Lima","day":"tomorrow","rain_mm":8.4},{"city":"Santiago","day":"tomorrow","rain_mm":8.1}]
