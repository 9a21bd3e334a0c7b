// A plain script: await and return at the top, no function around it.
const { cities } = await tools.weather.list_cities();

const stations = await parallel(
  cities.map(({ name }) => () => tools.weather.get_station({ city: name })),
  { concurrency: 4 },
);
// get_station answers with JSON in a text block: it arrives parsed.
stations.sort((a, b) => b.elevation_m - a.elevation_m);

const [highest] = stations;
console.log("highest:", highest.city);

// describe_weather answers with a sentence: it arrives as a string.
const sentence = await tools.weather.describe_weather({ city: highest.city });
return { stations: stations.length, highest: highest.city, sentence };
// expect: {"stations":12,"highest":"Lisbon","sentence":"Lisbon: sunny, 13 to 23 °C, 0.0 mm of rain."}
