using System.Numerics;
using System.Runtime.InteropServices;

namespace ChatBackend.Infrastructure.Search.Meaning;

/// <summary>
/// The vectors of one document's passages in memory, in 8 bits a number: 1.5 KB for 1,536 dimensions. Immutable. They are compared one by one:
/// without an approximate index nothing near is missed, and 10,000 take a millisecond.
/// </summary>
internal sealed class PassageVectors
{
    private readonly sbyte[] _numbers;

    /// <summary>What the numbers of a passage are multiplied by; 0 for a passage without a vector.</summary>
    private readonly float[] _scales;

    private PassageVectors(int passages, int dimensions) =>
        (Dimensions, _numbers, _scales) = (dimensions, new sbyte[passages * dimensions], new float[passages]);

    public int Dimensions { get; }

    /// <summary>Null if no passage has a vector.</summary>
    /// <param name="vectors">By the passage's position in the document, as <see cref="StoredVector"/> writes them; one that is not as long as the first is
    /// left out.</param>
    public static PassageVectors? Of(IReadOnlyList<byte[]?> vectors)
    {
        if (vectors.FirstOrDefault(v => v is not null) is not { Length: > 0 } one)
            return null;
        var dimensions = StoredVector.DimensionsOf(one);
        var packed = new PassageVectors(vectors.Count, dimensions);
        var floats = new float[dimensions];
        for (var position = 0; position < vectors.Count; position++)
        {
            if (vectors[position] is { } stored && stored.Length == one.Length)
            {
                StoredVector.Read(stored, floats);
                packed.Set(position, floats);
            }
        }

        return packed;
    }

    /// <summary>The passages that are nearest to a question, best first, with their cosine similarities.</summary>
    /// <param name="documents">The ordinal of each document's first passage, and its vectors; those of other dimensions are left out.</param>
    public static IReadOnlyList<(int Ordinal, double Similarity)> Nearest(
        IEnumerable<(int First, PassageVectors Vectors)> documents, ReadOnlyMemory<float> question, int most)
    {
        var unit = StoredVector.Unit(question.Span);
        // A model that answers NaN would put arbitrary passages first.
        if (!float.IsFinite(unit.Sum()))
            return [];
        var best = new PriorityQueue<int, float>(most + 1);
        foreach (var (first, vectors) in documents)
            if (vectors.Dimensions == unit.Length)
                vectors.Compare(unit, first, best, most);

        var nearest = new (int, double)[best.Count];
        for (var place = nearest.Length - 1; place >= 0 && best.TryDequeue(out var ordinal, out var similarity); place--)
            nearest[place] = (ordinal, similarity);
        return nearest;
    }

    private void Compare(ReadOnlySpan<float> question, int first, PriorityQueue<int, float> best, int most)
    {
        for (var position = 0; position < _scales.Length; position++)
        {
            if (_scales[position] == 0)
                continue;
            var similarity = _scales[position] * Dot(_numbers.AsSpan(position * Dimensions, Dimensions), question);
            if (best.Count < most)
                best.Enqueue(first + position, similarity);
            else if (best.TryPeek(out _, out var least) && similarity > least)
                best.EnqueueDequeue(first + position, similarity);
        }
    }

    private void Set(int position, ReadOnlySpan<float> vector)
    {
        var most = 0f;
        foreach (var number in vector)
            most = MathF.Max(most, MathF.Abs(number));
        if (most == 0 || !float.IsFinite(most))
            return;

        var numbers = _numbers.AsSpan(position * Dimensions, Dimensions);
        var sum = 0L;
        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] = (sbyte)MathF.Round(vector[i] / most * sbyte.MaxValue);
            sum += numbers[i] * numbers[i];
        }

        // The length is 1 again.
        _scales[position] = (float)(1 / Math.Sqrt(sum));
    }

    /// <summary>As many numbers at a time as the processor's vectors have.</summary>
    private static float Dot(ReadOnlySpan<sbyte> numbers, ReadOnlySpan<float> question)
    {
        var many = MemoryMarshal.Cast<sbyte, Vector<sbyte>>(numbers);
        var factors = MemoryMarshal.Cast<float, Vector<float>>(question);
        var (one, two, three, four) = (Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero, Vector<float>.Zero);
        for (var i = 0; i < many.Length; i++)
        {
            Vector.Widen(many[i], out var low, out var high);
            Vector.Widen(low, out var first, out var second);
            Vector.Widen(high, out var third, out var fourth);
            one += Vector.ConvertToSingle(first) * factors[4 * i];
            two += Vector.ConvertToSingle(second) * factors[(4 * i) + 1];
            three += Vector.ConvertToSingle(third) * factors[(4 * i) + 2];
            four += Vector.ConvertToSingle(fourth) * factors[(4 * i) + 3];
        }

        var sum = Vector.Sum(one + two + three + four);
        for (var i = many.Length * Vector<sbyte>.Count; i < numbers.Length; i++)
            sum += numbers[i] * question[i];
        return sum;
    }
}
