using System.Net;
using System.Text.RegularExpressions;
using Npgsql;

// Npgsql's messages repeat the password, so these exceptions are not kept as inner exceptions.
#pragma warning disable MA0054

namespace ChatBackend.Infrastructure.Database;

/// <summary>Reads <c>DATABASE_URL</c>: a libpq connection URI (PostgreSQL manual, 34.1.1.2) or Npgsql keywords. Npgsql itself
/// accepts only keywords, and its message about a URI repeats the password.</summary>
internal static partial class DatabaseUrl
{
    /// <summary>The connection settings, with our defaults for settings that are not in the URL.</summary>
    /// <exception cref="FormatException">The URL is malformed. The message names the part, never its value.</exception>
    public static NpgsqlConnectionStringBuilder Parse(string url)
    {
        var trimmed = url.Trim();
        var settings = trimmed.Contains("://") ? FromUri(trimmed) : FromKeywords(trimmed);
        if (string.IsNullOrEmpty(settings.Host))
            throw new FormatException("it names no host");

        ApplyDefaults(settings);
        return settings;
    }

    private static NpgsqlConnectionStringBuilder FromKeywords(string text)
    {
        try
        {
            return new(text);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or KeyNotFoundException)
        {
            throw new FormatException("it is neither a postgres:// URI nor Npgsql keywords such as Host=…;Username=…");
        }
    }

    private static NpgsqlConnectionStringBuilder FromUri(string text)
    {
        var scheme = text[..text.IndexOf("://", StringComparison.Ordinal)];
        if (scheme.ToLowerInvariant() is not ("postgres" or "postgresql"))
            throw new FormatException("its scheme is not postgres:// or postgresql://");

        // System.Uri rejects several hosts and some passwords that libpq accepts, so the URI is split by hand.
        var rest = text[(scheme.Length + 3)..];
        var query = "";
        if (rest.IndexOf('?') is >= 0 and var mark)
            (rest, query) = (rest[..mark], rest[(mark + 1)..]);
        var credentials = "";
        if (rest.LastIndexOf('@') is >= 0 and var at)
            (credentials, rest) = (rest[..at], rest[(at + 1)..]);
        var database = "";
        if (rest.IndexOf('/') is >= 0 and var slash)
            (rest, database) = (rest[..slash], rest[(slash + 1)..]);

        var settings = new NpgsqlConnectionStringBuilder();
        var (user, password) = credentials.IndexOf(':') is >= 0 and var colon
            ? (credentials[..colon], credentials[(colon + 1)..])
            : (credentials, "");
        if (user.Length > 0)
            settings.Username = Decode(user, "user");
        if (password.Length > 0)
            settings.Password = Decode(password, "password");
        if (database.Length > 0)
            settings.Database = Decode(database, "database");
        SetHosts(settings, rest);

        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var cut = pair.IndexOf('=');
            var name = Decode(cut < 0 ? pair : pair[..cut], "parameter name");
            SetParameter(settings, name, cut < 0 ? "" : Decode(pair[(cut + 1)..], name));
        }

        return settings;
    }

    private static void SetHosts(NpgsqlConnectionStringBuilder settings, string hosts)
    {
        var list = hosts.Split(',').Select(h =>
        {
            var portAt = h.StartsWith('[') ? h.IndexOf(':', Math.Max(h.IndexOf(']'), 0)) : h.LastIndexOf(':');
            var (host, port) = portAt >= 0 ? (h[..portAt], h[(portAt + 1)..]) : (h, "");
            if (port.Length > 0 && !(ushort.TryParse(port, out var number) && number > 0))
                throw new FormatException("its port is not a number from 1 to 65535");
            return (Host: Decode(host.Trim('[', ']'), "host"), Port: port);
        }).ToArray();

        if (list is [var only])
        {
            settings.Host = only.Host;
            if (only.Port.Length > 0)
                settings.Port = int.Parse(only.Port);
        }
        else
        {
            settings.Host = string.Join(',', list.Select(h => h.Port.Length > 0 ? $"{h.Host}:{h.Port}" : h.Host));
        }
    }

    /// <summary>libpq's parameter names, which hosts such as Neon, Supabase, Heroku and Railway use in their URLs.</summary>
    private static void SetParameter(NpgsqlConnectionStringBuilder settings, string name, string value)
    {
        try
        {
            switch (name.ToLowerInvariant())
            {
                case "sslmode":
                    settings.SslMode = Enum.Parse<SslMode>(value.Replace("-", ""), ignoreCase: true);
                    break;
                case "channel_binding":
                    settings.ChannelBinding = Enum.Parse<ChannelBinding>(value, ignoreCase: true);
                    break;
                case "sslrootcert":
                    // "system" is libpq's name for the operating system's trust store, which .NET uses by default.
                    if (value != "system")
                        settings.RootCertificate = value;
                    break;
                case "connect_timeout":
                    settings.Timeout = int.Parse(value);
                    break;
                case "application_name":
                    settings.ApplicationName = value;
                    break;
                case "options":
                    settings.Options = value;
                    break;
                case "target_session_attrs":
                    settings.TargetSessionAttributes = value;
                    break;
                case "host":
                    settings.Host = value;
                    break;
                case "port":
                    settings.Port = int.Parse(value);
                    break;
                case "user":
                    settings.Username = value;
                    break;
                case "password":
                    settings.Password = value;
                    break;
                case "dbname":
                    settings.Database = value;
                    break;
                default:
                    // Settings of other drivers (pgbouncer=true, schema=…, pool_timeout=…) are ignored; libpq would reject them.
                    break;
            }
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            throw new FormatException($"its parameter {name} has a value that is not known");
        }
    }

    private static void ApplyDefaults(NpgsqlConnectionStringBuilder settings)
    {
        var given = settings.Keys;
        if (!given.Contains("Timeout"))
            settings.Timeout = 5;
        if (!given.Contains("Command Timeout"))
            settings.CommandTimeout = 10;
        if (!given.Contains("Maximum Pool Size"))
            settings.MaxPoolSize = 30;
        // Neon suspends a server after five minutes: close an idle connection before the server drops it.
        if (!given.Contains("Connection Idle Lifetime"))
            settings.ConnectionIdleLifetime = 60;
        if (!given.Contains("Application Name"))
            settings.ApplicationName = "chatbackend";
        if (!given.Contains("GSS Encryption Mode"))
            settings.GssEncryptionMode = GssEncryptionMode.Disable;
        // Npgsql would send DISCARD ALL before the next statement of a reused connection. A transaction pooler, which no address
        // reveals, then cuts off a large statement. Our sessions hold no state that must be discarded.
        if (!given.Contains("No Reset On Close"))
            settings.NoResetOnClose = true;
    }

    // libpq also rejects a stray %. If it were taken literally, the password would be a different one.
    [GeneratedRegex("%(?![0-9A-Fa-f]{2})", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex StrayPercent();

    private static string Decode(string text, string part)
    {
        if (text.Contains('%'))
        {
            if (StrayPercent().IsMatch(text))
                throw new FormatException($"its {part} holds a % that two hexadecimal digits do not follow (a % itself is written %25)");
            var decoded = WebUtility.UrlDecode(text.Replace("+", "%2B"));
            if (decoded.Contains('\0'))
                throw new FormatException($"its {part} holds %00");
            return decoded;
        }

        return text;
    }
}
