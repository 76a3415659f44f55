import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends records with Kafka's own client. Each line of the input is one, its fields parted by tabs: topic, partition,
 * timestamp, key, value, then name and value of each header. All but the first three are base64; a hyphen is a null.
 */
public class Producer {
  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", arguments[0]);
    properties.put("compression.type", arguments[1]);
    properties.put("linger.ms", "5");
    try (KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] fields = line.split("\t", -1);
        Long timestamp = fields[2].equals("-") ? null : Long.valueOf(fields[2]);
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(
                fields[0], Integer.valueOf(fields[1]), timestamp, bytes(fields[3]), bytes(fields[4]));
        for (int at = 5; at < fields.length; at += 2) {
          record.headers().add(new String(bytes(fields[at]), StandardCharsets.UTF_8), bytes(fields[at + 1]));
        }
        producer.send(record, (position, error) -> {
          if (error != null) {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
          }
        });
      }
    }
  }

  private static byte[] bytes(String field) {
    return field.equals("-") ? null : Base64.getDecoder().decode(field);
  }
}
