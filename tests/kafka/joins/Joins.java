import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;

/**
 * Joins topics of an app with a table of customers that is keyed by the same ids, without repartitioning, and prints how
 * many keys of each topic found their customer.
 *
 * <p>Arguments: bootstrap, app, table of customers, directory for state, then `topic=keys` for each topic: how many keys it
 * has. The program ends when it has seen as many, or after two minutes.
 */
public final class Joins {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  public static void main(String[] arguments) throws InterruptedException {
    String app = arguments[1];
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, app + "-joins");
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.consumerPrefix("isolation.level"), "read_committed");

    StreamsBuilder builder = new StreamsBuilder();
    KTable<String, byte[]> customers = builder.table(arguments[2], Materialized.as("customers"));
    Map<String, Integer> expected = new java.util.LinkedHashMap<>();
    Map<String, Map<String, Boolean>> found = new ConcurrentHashMap<>();
    for (int n = 4; n < arguments.length; n++) {
      String[] parts = arguments[n].split("=");
      String topic = parts[0];
      expected.put(topic, Integer.parseInt(parts[1]));
      Map<String, Boolean> keys = new ConcurrentHashMap<>();
      found.put(topic, keys);
      if (topic.startsWith("current")) {
        builder
            .<String, byte[]>table(app + "." + topic, Materialized.as(topic))
            .leftJoin(customers, (here, customer) -> customer != null)
            .toStream()
            .foreach((key, matched) -> keys.merge(key, matched, (a, b) -> a || b));
      } else {
        builder
            .<String, byte[]>stream(app + "." + topic)
            .leftJoin(customers, (here, customer) -> customer != null)
            .foreach((key, matched) -> keys.merge(key, matched, (a, b) -> a || b));
      }
    }

    try (KafkaStreams streams = new KafkaStreams(builder.build(), settings)) {
      streams.start();
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (System.nanoTime() < deadline && !done(expected, found)) {
        Thread.sleep(100);
      }
    }
    expected.forEach(
        (topic, count) -> {
          Set<Map.Entry<String, Boolean>> entries = found.get(topic).entrySet();
          long matched = entries.stream().filter(Map.Entry::getValue).count();
          System.out.println(topic + " " + matched + " " + entries.size() + " " + count);
        });
  }

  private static boolean done(Map<String, Integer> expected, Map<String, Map<String, Boolean>> found) {
    return expected.entrySet().stream()
        .allMatch(
            entry -> {
              Map<String, Boolean> keys = found.get(entry.getKey());
              return keys.size() >= entry.getValue() && keys.values().stream().allMatch(matched -> matched);
            });
  }
}
