using System.Text;
using Dapper;

namespace ChatBackend.Tests.Features.Profile;

/// <summary>Looks for texts in every column of every table.</summary>
internal static class StoredTexts
{
    /// <summary>The places that hold one of the texts, as <c>table.column: text</c>.</summary>
    public static async Task<IReadOnlyList<string>> FindTextsAsync(this ChatBackendApp app, params string[] texts)
    {
        await using var connection = await app.OpenDatabaseAsync();
        var columns = (await connection.QueryAsync<(string Table, string Column, string Type)>(
            """
            select c.table_name, c.column_name, c.data_type
            from information_schema.columns as c
            join information_schema.tables as t using (table_schema, table_name)
            where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
            """)).AsList();
        Assert.Contains(columns, c => c is { Table: "messages", Column: "content", Type: "text" });
        Assert.Contains(columns, c => c is { Table: "turns", Column: "request", Type: "json" });
        Assert.Contains(columns, c => c is { Table: "turns", Column: "partial_text", Type: "bytea" });

        var found = new List<string>();
        foreach (var (table, column, type) in columns)
        {
            foreach (var text in texts)
            {
                // The partial text of an answer is UTF-16.
                var holds = type == "bytea"
                    ? $"position(@utf8 in \"{column}\") > 0 or position(@utf16 in \"{column}\") > 0"
                    : $"position(@text in \"{column}\"::text) > 0";
                if (await connection.ExecuteScalarAsync<bool>(
                    $"select exists (select from \"{table}\" where {holds})", new { text, utf8 = Encoding.UTF8.GetBytes(text), utf16 = Encoding.Unicode.GetBytes(text) }))
                    found.Add($"{table}.{column}: {text}");
            }
        }

        return found;
    }
}
